//! The form for a new user, over the list.

use super::user_search;
use crate::{
    components::{
        dialog::{Dialog, DialogHead, DialogShape},
        field::{FieldKind, TextField},
        form::{ActionForm, SubmitButton, use_form},
        problem::ProblemCallout,
    },
    model::{
        problem::{Problem, ProblemKind},
        role::AGENT_KEY_ROLE,
        user::NewUserErrors,
    },
    questions::users::CreateUser,
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// The flyout.
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
    let problem = move || create.value().get().and_then(Result::err);
    let errors = Memo::new(move |_| match problem() {
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
            <ActionForm action=create>
                <DialogHead
                    id="create-user-title"
                    title="Create user"
                    help="Makes a user in the native realm of Elasticsearch."
                    close=close.clone()
                />
                <div data-part="body" class="stack" data-gap="lg">
                    {move || problem().map(|problem| view! { <ProblemCallout problem /> })}
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
                </div>
                <div data-part="foot">
                    <a class="button" data-variant="quiet" href=close>"Cancel"</a>
                    <SubmitButton label="Create user" pending=create.pending() />
                </div>
            </ActionForm>
        </Dialog>
    }
    .into_any()
}
