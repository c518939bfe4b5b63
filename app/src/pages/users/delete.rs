//! The question before a user is deleted.

use super::USERS;
use crate::{
    components::{
        badge::Tone,
        callout::Callout,
        dialog::{Dialog, DialogHead, DialogShape},
        form::{FormPage, SubmitButton, use_form},
        icon::IconName,
        problem::ProblemCallout,
    },
    pages::{address::use_parameters, agent_keys::LIST},
    questions::users::DeleteUser,
};
use leptos::{form::ActionForm, prelude::*};
use leptos_meta::Title;
use leptos_router::location::Url;

/// The dialog.
#[component]
pub fn DeleteUserPage() -> impl IntoView {
    let delete = use_form::<DeleteUser>();
    let user = use_parameters()
        .get_untracked()
        .get("user")
        .unwrap_or_default();
    let problem = move || delete.value().get().and_then(Result::err);
    let keys = format!("{LIST}?owner={}&status=active", Url::escape(&user));
    view! {
        <Title text="Delete user · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by="delete-title" alert=true close=USERS>
            <ActionForm action=delete>
                <FormPage />
                <DialogHead id="delete-title" title=format!("Delete {user}?") close=USERS />
                <div data-part="body" class="stack">
                    {move || problem().map(|problem| view! { <ProblemCallout problem /> })}
                    <Callout tone=Tone::Danger icon=IconName::Warn>
                        <h3>"This user can no longer sign in"</h3>
                        <p>
                            "A deleted user cannot be restored. " <strong>"Their keys keep working"</strong> ": "
                            <a href=keys>"look at them"</a> " first, and revoke those that nothing needs."
                        </p>
                    </Callout>
                    <input type="hidden" name="username" value=user />
                </div>
                <div data-part="foot">
                    <a class="button" autofocus href=USERS>"Cancel"</a>
                    <SubmitButton label="Delete user" pending=delete.pending() danger=true />
                </div>
            </ActionForm>
        </Dialog>
    }
    .into_any()
}
