//! A new password for a user.

use super::user_search;
use crate::{
    components::{
        dialog::{Dialog, DialogHead, DialogShape},
        field::{FieldKind, TextField},
        form::{ActionForm, SubmitButton, use_form},
        problem::ProblemCallout,
    },
    model::problem::{Problem, ProblemKind},
    questions::users::ResetPassword,
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// The dialog.
#[component]
pub fn ResetPasswordPage() -> impl IntoView {
    let reset = use_form::<ResetPassword>();
    let user = urls::use_parameters()
        .get_untracked()
        .get("user")
        .unwrap_or_default();
    let search = user_search();
    let close = urls::users_matching(&search);
    let problem = move || reset.value().get().and_then(Result::err);
    let errors = Signal::derive(move || match problem() {
        Some(Problem {
            kind: ProblemKind::NewPassword(error),
            ..
        }) => vec![error.to_string()],
        _ => Vec::new(),
    });
    view! {
        <Title text="Reset password · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by="password-title" close=close.clone()>
            <ActionForm action=reset>
                <DialogHead
                    id="password-title"
                    title=format!("New password for {user}")
                    help="The old one stops working at once. Keys are not affected."
                    close=close.clone()
                />
                <div data-part="body" class="stack">
                    {move || problem().map(|problem| view! { <ProblemCallout problem /> })}
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
                </div>
                <div data-part="foot">
                    <a class="button" data-variant="quiet" href=close>"Cancel"</a>
                    <SubmitButton label="Set password" pending=reset.pending() />
                </div>
            </ActionForm>
        </Dialog>
    }
    .into_any()
}
