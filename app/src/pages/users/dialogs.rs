//! Dialogs over the list of users: create, delete, reset password.

use super::user_search;
use crate::{
    api::users::{CreateUser, DeleteUser, ResetPassword},
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
        user::NewUserErrors,
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn CreateUserPage() -> impl IntoView {
    let create = use_form::<CreateUser>();
    let typed = create.input().get_untracked().map(|input| input.form);
    let ticked = typed
        .as_ref()
        .is_none_or(|form| form.agent_key_role.is_some());
    let typed = typed.unwrap_or_default();
    let search = user_search();
    let close = urls::users_matching(&search);
    let problem = use_problem(create);
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
        <Title text="Create user · Agent Keys" />
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
                <input type="hidden" name="search" value=search />
                <TextField
                    id="new-username"
                    name="form[username]"
                    label="Username"
                    value=typed.username
                    errors=username
                    required=true
                    autofocus=true
                />
                <TextField
                    id="new-password"
                    name="form[password]"
                    label="Password"
                    kind=FieldKind::Password
                    help="At least 15 characters. Tell it to the user on another way than this page’s address."
                    errors=password
                    required=true
                    autocomplete="new-password"
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
                    <label class="choice">
                        <input type="checkbox" name="form[agent_key_role]" checked=ticked />
                        <span data-part="title">"Create and revoke own agent keys"</span>
                        <code data-part="meta">{AGENT_KEY_ROLE}</code>
                        <span data-part="help">"Enough for most people."</span>
                    </label>
                </fieldset>
            </DialogForm>
        </Dialog>
    }
    .into_any()
}

#[component]
pub fn DeleteUserPage() -> impl IntoView {
    let delete = use_form::<DeleteUser>();
    let user = urls::use_parameters()
        .get_untracked()
        .get("user")
        .unwrap_or_default();
    let search = user_search();
    let close = urls::users_matching(&search);
    let problem = use_problem(delete);
    let keys = urls::active_keys_of(&user);
    view! {
        <Title text="Delete user · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by="delete-title" alert=true close=close.clone()>
            <DialogForm
                action=delete
                id="delete-title"
                title=format!("Delete {user}?")
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
                <input type="hidden" name="search" value=search />
            </DialogForm>
        </Dialog>
    }
    .into_any()
}

#[component]
pub fn ResetPasswordPage() -> impl IntoView {
    let reset = use_form::<ResetPassword>();
    let user = urls::use_parameters()
        .get_untracked()
        .get("user")
        .unwrap_or_default();
    let search = user_search();
    let close = urls::users_matching(&search);
    let problem = use_problem(reset);
    let errors = Signal::derive(move || match problem.get() {
        Some(Problem {
            kind: ProblemKind::NewPassword(error),
            ..
        }) => vec![error.to_string()],
        _ => Vec::new(),
    });
    view! {
        <Title text="Reset password · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by="password-title" close=close.clone()>
            <DialogForm
                action=reset
                id="password-title"
                title=format!("New password for {user}")
                help="The old one stops working at once. Keys are not affected."
                close=close
                problem
                submit=view! { <SubmitButton label="Set password" pending=reset.pending() /> }.into_any()
            >
                <input type="hidden" name="username" value=user.clone() />
                <input type="hidden" name="search" value=search />
                <TextField
                    id="reset-password"
                    name="password"
                    label="Password"
                    kind=FieldKind::Password
                    help="At least 15 characters."
                    errors
                    required=true
                    autofocus=true
                    autocomplete="new-password"
                />
            </DialogForm>
        </Dialog>
    }
    .into_any()
}
