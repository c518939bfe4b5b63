//! New passwords of users: typed, or generated and shown once.

use super::list_field;
use crate::{
    components::{
        badge::Tone,
        callout::{Announce, Callout},
        code::CopyButton,
        dialog::{Dialog, DialogShape, ask_before_leaving},
        field::{FieldKind, TextField},
        form::hidden_fields,
        icon::{Icon, IconName},
    },
    model::{
        problem::Problem,
        text::visible,
        user::{GeneratedPassword, PasswordSource},
        user_list::UserQuery,
    },
    urls,
};
use leptos::{ev, prelude::*, server_fn::ServerFn};

/// Choice between a generated password and a typed one.
#[component]
pub(super) fn PasswordFields(
    /// Name of the field with the source of the password.
    source_name: &'static str,
    /// Name of the field with the password.
    name: &'static str,
    chosen: PasswordSource,
    /// Validation errors of a typed password.
    errors: Signal<Vec<String>>,
    #[prop(optional)] autofocus: bool,
) -> impl IntoView {
    let generated = chosen == PasswordSource::Generated;
    view! {
        <fieldset class="field reveal">
            <legend>"Password"</legend>
            <div class="stack" data-gap="sm">
                <label class="choice">
                    <input type="radio" name=source_name value="generated" checked=generated autofocus=autofocus && generated />
                    <span data-part="title">"Generate a password"</span>
                    <span data-part="help">"It is shown once, to copy and hand over."</span>
                </label>
                <label class="choice">
                    <input type="radio" name=source_name value="typed" checked=!generated />
                    <span data-part="title">"Enter a password"</span>
                </label>
                <div data-reveal="typed">
                    <TextField
                        id="new-password"
                        name
                        label="Password"
                        kind=FieldKind::Password
                        help="At least 15 characters."
                        errors
                        required=true
                        autofocus=autofocus && !generated
                        autocomplete="new-password"
                    />
                </div>
            </div>
        </fieldset>
    }
    .into_any()
}

/// Draws the dialog of a form, and after it the generated password, if the form was answered with one.
pub(super) fn form_then_password<S>(
    action: ServerAction<S>,
    form: impl Fn() -> AnyView + Send + 'static,
    title: &'static str,
    list: UserQuery,
) -> AnyView
where
    S: ServerFn<Output = Option<GeneratedPassword>, Error = Problem>
        + Clone
        + Send
        + Sync
        + 'static,
{
    // Only the action's value holds the password. The back/forward cache of the browser must not keep it.
    let leaving = window_event_listener(ev::pagehide, move |_| action.value().set(None));
    on_cleanup(move || leaving.remove());
    let generated = move || action.value().get().and_then(Result::ok).flatten();
    let is_generated = Memo::new(move |_| generated().is_some());
    let dialog = move || {
        if is_generated.get() {
            let list = list.clone();
            generated()
                .map(|generated| view! { <GeneratedDialog title generated list /> })
                .into_any()
        } else {
            form()
        }
    };
    dialog.into_any()
}

/// The dialog. Escape does not close it, because the password cannot be shown again.
#[component]
fn GeneratedDialog(
    /// Heading before the name of the user.
    title: &'static str,
    generated: GeneratedPassword,
    list: UserQuery,
) -> impl IntoView {
    let leave = ask_before_leaving(urls::with_parameters(&urls::users(), &list.parameters()));
    let GeneratedPassword { username, password } = generated;
    let shown = password.expose().to_owned();
    view! {
        <Dialog shape=DialogShape::Centred labelled_by="generated-title">
            <div data-part="head">
                <div>
                    <h2 id="generated-title">
                        <Icon name=IconName::Pass size="lg" tone="success" />
                        <span>{title} <bdi>{visible(&username)}</bdi></span>
                    </h2>
                </div>
            </div>
            <div data-part="body" class="stack">
                <Callout tone=Tone::Warning announce=Announce::Alert small=true>
                    <p>
                        <strong>"Store the password now."</strong>
                        " It is not shown again. Send it through a secure channel, and ask the user to change it after signing in."
                    </p>
                </Callout>
                <div class="field">
                    <h3 id="generated-label" data-part="label">"Password"</h3>
                    <div class="secret" data-autofocus>
                        <output aria-labelledby="generated-label" aria-live="off">{shown}</output>
                        <CopyButton text=move || password.expose().to_owned() what="the password" />
                    </div>
                </div>
            </div>
            <form method="get" action=urls::users() class="foot" on:submit=leave>
                {hidden_fields(list.parameters())}
                <div data-part="foot">
                    <label class="check">
                        <input type="checkbox" id="stored" required autofocus />
                        <span>"I have stored this password"</span>
                    </label>
                    <button type="submit" class="button" data-variant="primary">"Done"</button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

/// Hidden field with the query of the list, to which the dialog returns.
pub(super) fn list_input(list: &UserQuery) -> AnyView {
    view! { <input type="hidden" name="list" value=list_field(list) /> }.into_any()
}
