//! Dialogs over the list of users: create, disable, delete, and new password. A password is typed, or generated and
//! shown once.

use crate::{
    api::users::{CreateUser, DeleteUser, ResetPassword, SetUserEnabled},
    components::{
        code::CopyButton,
        dialog::{Dialog, DialogForm, DialogShape, ask_before_leaving},
        form::{FieldKind, SubmitButton, TextField, hidden_fields, use_form, use_problem},
        icon::{Icon, IconName},
        status::{Announce, Callout, Tone},
    },
    model::{
        problem::{Problem, ProblemKind},
        text::visible,
        user::{AGENT_KEY_ROLE, GeneratedPassword, NewUserErrors, PasswordSource},
        user_list::UserQuery,
    },
    pages::users::{list_field, query_behind},
    urls,
};
use leptos::{ev, prelude::*, server_fn::ServerFn};
use leptos_meta::Title;

/// Returns the user of a dialog.
fn user_of_dialog() -> String {
    let parameters = urls::use_parameters();
    parameters.read_untracked().get("user").unwrap_or_default()
}

#[component]
pub fn CreateUserPage() -> impl IntoView {
    let create = use_form::<CreateUser>();
    let list = query_behind();
    let behind = list.clone();
    // Outlives the form, which is removed as soon as there is a password to show.
    let problem = use_problem(create);
    let form = move || view! { <CreateFlyout create problem list=behind.clone() /> }.into_any();
    view! {
        <Title text="Create user · Agent Keys" />
        {form_then_password(create, form, "User created: ", list)}
    }
    .into_any()
}

#[component]
fn CreateFlyout(
    create: ServerAction<CreateUser>,
    problem: Signal<Option<Problem>>,
    list: UserQuery,
) -> impl IntoView {
    let typed = create.input().get_untracked().map(|input| input.form);
    let ticked = typed
        .as_ref()
        .is_none_or(|form| form.agent_key_role.is_some());
    let source = typed
        .as_ref()
        .map_or(PasswordSource::Generated, |form| form.password_source);
    let typed = typed.unwrap_or_default();
    let close = urls::user_list(&list);
    let errors = Memo::new(move |_| match problem.get() {
        Some(Problem {
            kind: ProblemKind::NewUser(errors),
            ..
        }) => errors,
        _ => NewUserErrors::default(),
    });
    let username = Signal::derive(move || {
        let errors = errors.read();
        let taken = errors
            .username_taken
            .then(|| "This user exists. Choose another name.".to_owned());
        errors
            .username
            .iter()
            .map(ToString::to_string)
            .chain(taken)
            .collect()
    });
    let password = Signal::derive(move || {
        errors
            .read()
            .password
            .iter()
            .map(ToString::to_string)
            .collect()
    });
    let full_name = Signal::derive(move || {
        errors
            .read()
            .full_name
            .then(|| "Use at most 200 characters, without line breaks.".to_owned())
            .into_iter()
            .collect()
    });
    let email = Signal::derive(move || {
        errors
            .read()
            .email
            .then(|| "Enter an address with an “@”, or leave it empty.".to_owned())
            .into_iter()
            .collect()
    });
    view! {
        <Dialog shape=DialogShape::Flyout labelled_by="create-user-title" close=close.clone()>
            <DialogForm
                action=create
                id="create-user-title"
                title="Create user"
                help="Makes a user in the native realm of Elasticsearch."
                close=close
                gap="lg"
                problem
                submit=view! { <SubmitButton label="Create user" pending=create.pending() /> }.into_any()
            >
                {list_input(&list)}
                <TextField
                    id="new-username"
                    name="form[username]"
                    label="Username"
                    value=typed.username
                    errors=username
                    required=true
                    autofocus=true
                />
                <PasswordFields
                    source_name="form[password_source]"
                    name="form[password]"
                    chosen=source
                    errors=password
                />
                <TextField id="new-full-name" name="form[full_name]" label="Full name" value=typed.full_name errors=full_name />
                <TextField
                    id="new-email"
                    name="form[email]"
                    label="Email"
                    kind=FieldKind::Email
                    value=typed.email
                    errors=email
                />
                <fieldset class="field">
                    <legend>"What may this user do?"</legend>
                    <div class="stack">
                        <label class="choice">
                            <input type="checkbox" name="form[agent_key_role]" checked=ticked />
                            <span data-part="title">"Create and revoke own agent keys"</span>
                            <code data-part="meta">{AGENT_KEY_ROLE}</code>
                            <span data-part="help">"Enough for most people."</span>
                        </label>
                    </div>
                </fieldset>
            </DialogForm>
        </Dialog>
    }
    .into_any()
}

#[component]
pub fn DisableUserPage() -> impl IntoView {
    let disable = use_form::<SetUserEnabled>();
    let (user, list) = (user_of_dialog(), query_behind());
    let close = urls::user_list(&list);
    let problem = use_problem(disable);
    let keys = urls::active_keys_of(&user);
    view! {
        <Title text="Disable user · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by="disable-title" alert=true close=close.clone()>
            <DialogForm
                action=disable
                id="disable-title"
                title=format!("Disable {}?", visible(&user))
                close=close
                question=true
                problem
                submit=view! { <SubmitButton label="Disable user" pending=disable.pending() danger=true /> }.into_any()
            >
                <Callout tone=Tone::Warning icon=IconName::Off>
                    <h3>"This user can no longer sign in"</h3>
                    <p>
                        "Sessions end at their next request. You can enable the user again. "
                        <strong>"Their keys keep working"</strong> ": " <a href=keys>"look at them"</a>
                        " first, and revoke those that nothing needs."
                    </p>
                </Callout>
                <input type="hidden" name="username" value=user />
                <input type="hidden" name="enabled" value="false" />
                {list_input(&list)}
            </DialogForm>
        </Dialog>
    }
    .into_any()
}

#[component]
pub fn DeleteUserPage() -> impl IntoView {
    let delete = use_form::<DeleteUser>();
    let (user, list) = (user_of_dialog(), query_behind());
    let close = urls::user_list(&list);
    let problem = use_problem(delete);
    let keys = urls::active_keys_of(&user);
    let revoke = urls::revoke_active_keys_of(&user);
    view! {
        <Title text="Delete user · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by="delete-title" alert=true close=close.clone()>
            <DialogForm
                action=delete
                id="delete-title"
                title=format!("Delete {}?", visible(&user))
                close=close
                question=true
                problem
                submit=view! { <SubmitButton label="Delete user" pending=delete.pending() danger=true /> }.into_any()
            >
                <Callout tone=Tone::Danger icon=IconName::Warn>
                    <h3>"This user can no longer sign in"</h3>
                    <p>
                        "A deleted user cannot be restored. " <strong>"Their keys keep working"</strong>
                        ", and a new user of the same name would own them. "
                        <a href=keys>"Look at them"</a> " first, or "
                        <a href=revoke>"revoke all of them"</a> "."
                    </p>
                </Callout>
                <input type="hidden" name="username" value=user />
                {list_input(&list)}
            </DialogForm>
        </Dialog>
    }
    .into_any()
}

#[component]
pub fn ResetPasswordPage() -> impl IntoView {
    let reset = use_form::<ResetPassword>();
    let (user, list) = (user_of_dialog(), query_behind());
    let behind = list.clone();
    let problem = use_problem(reset);
    let form = move || {
        let (user, list) = (user.clone(), behind.clone());
        view! { <ResetDialog reset problem user list /> }.into_any()
    };
    view! {
        <Title text="Change password · Agent Keys" />
        {form_then_password(reset, form, "New password set for ", list)}
    }
    .into_any()
}

#[component]
fn ResetDialog(
    reset: ServerAction<ResetPassword>,
    problem: Signal<Option<Problem>>,
    user: String,
    list: UserQuery,
) -> impl IntoView {
    let typed = reset.input().get_untracked();
    let source = typed.map_or(PasswordSource::Generated, |input| input.password_source);
    let close = urls::user_list(&list);
    let errors = Signal::derive(move || match problem.get() {
        Some(Problem {
            kind: ProblemKind::NewPassword(error),
            ..
        }) => vec![error.to_string()],
        _ => Vec::new(),
    });
    view! {
        <Dialog shape=DialogShape::Centred labelled_by="password-title" close=close.clone()>
            <DialogForm
                action=reset
                id="password-title"
                title=format!("New password for {}", visible(&user))
                help="The old one stops working at once. Keys are not affected."
                close=close
                problem
                submit=view! { <SubmitButton label="Set password" pending=reset.pending() /> }.into_any()
            >
                <input type="hidden" name="username" value=user />
                {list_input(&list)}
                <PasswordFields
                    source_name="password_source"
                    name="password"
                    chosen=source
                    errors
                    autofocus=true
                />
            </DialogForm>
        </Dialog>
    }
    .into_any()
}

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
