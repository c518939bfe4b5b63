//! Dialogs over the list of users: create, disable, delete, new password.

use super::{
    password::{PasswordFields, form_then_password, list_input},
    query_behind,
};
use crate::{
    api::users::{CreateUser, DeleteUser, ResetPassword, SetUserEnabled},
    components::{
        badge::Tone,
        callout::Callout,
        dialog::{Dialog, DialogForm, DialogShape},
        field::{FieldKind, TextField},
        form::{SubmitButton, use_form, use_problem},
        icon::IconName,
    },
    model::{
        problem::{Problem, ProblemKind},
        role::AGENT_KEY_ROLE,
        text::visible,
        user::{NewUserErrors, PasswordSource},
        user_list::UserQuery,
    },
    urls,
};
use leptos::prelude::*;
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
                        "A deleted user cannot be restored. " <strong>"Their keys keep working"</strong> ": "
                        <a href=keys>"look at them"</a> " first, and revoke those that nothing needs."
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
