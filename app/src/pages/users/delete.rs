//! The question before a user is deleted.

use super::user_search;
use crate::{
    components::{
        badge::Tone,
        callout::Callout,
        dialog::{Dialog, DialogHead, DialogShape},
        form::{ActionForm, SubmitButton, use_form},
        icon::IconName,
        problem::ProblemCallout,
    },
    questions::users::DeleteUser,
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// The dialog.
#[component]
pub fn DeleteUserPage() -> impl IntoView {
    let delete = use_form::<DeleteUser>();
    let user = urls::use_parameters()
        .get_untracked()
        .get("user")
        .unwrap_or_default();
    let search = user_search();
    let close = urls::users_matching(&search);
    let problem = move || delete.value().get().and_then(Result::err);
    let keys = urls::active_keys_of(&user);
    view! {
        <Title text="Delete user · Agent Keys" />
        <Dialog shape=DialogShape::Centred labelled_by="delete-title" alert=true close=close.clone()>
            <ActionForm action=delete>
                <DialogHead id="delete-title" title=format!("Delete {user}?") close=close.clone() />
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
                    <input type="hidden" name="search" value=search />
                </div>
                <div data-part="foot">
                    <a class="button" autofocus href=close>"Cancel"</a>
                    <SubmitButton label="Delete user" pending=delete.pending() danger=true />
                </div>
            </ActionForm>
        </Dialog>
    }
    .into_any()
}
