//! What narrows the log: one form, which works as it stands.

use super::AUDIT;
use crate::{
    components::icon::{Icon, IconName},
    model::audit::{Action, AuditQuery, Outcome},
};
use leptos::prelude::*;
use leptos_router::components::Form;

/// The form.
#[component]
pub(super) fn Filters(current: AuditQuery) -> impl IntoView {
    let actions = Action::ALL
        .map(|action| {
            let chosen = current.action == Some(action);
            view! { <option value=action.name() selected=chosen>{action.label()}</option> }
        })
        .collect_view();
    let outcomes = Outcome::ALL
        .map(|outcome| {
            let chosen = current.outcome == Some(outcome);
            view! { <option value=outcome.name() selected=chosen>{outcome.label()}</option> }
        })
        .collect_view();
    let clear = current.is_filtered().then(|| {
        view! { <a class="button" data-variant="quiet" data-size="sm" href=AUDIT>"Clear all"</a> }
    });
    view! {
        <search>
            <Form method="GET" action=AUDIT>
                <div class="audit-filters">
                    <Field name="person" label="Person" kind="search" value=current.person.into() />
                    <Field name="target" label="Target" kind="search" value=current.target.into() />
                    <div class="field">
                        <label for="action">"Action"</label>
                        <div class="input" data-size="sm">
                            <select id="action" name="action">
                                <option value="">"Any"</option>
                                {actions}
                            </select>
                            <Icon name=IconName::Down size="sm" />
                        </div>
                    </div>
                    <div class="field">
                        <label for="outcome">"Outcome"</label>
                        <div class="input" data-size="sm">
                            <select id="outcome" name="outcome">
                                <option value="">"Any"</option>
                                {outcomes}
                            </select>
                            <Icon name=IconName::Down size="sm" />
                        </div>
                    </div>
                    <Field name="from" label="From (UTC)" kind="date" value=current.from.into() />
                    <Field name="to" label="To (UTC)" kind="date" value=current.to.into() />
                    <div class="row">
                        <button class="button" data-variant="primary" data-size="sm" type="submit">"Apply"</button>
                        {clear}
                    </div>
                </div>
            </Form>
        </search>
    }
    .into_any()
}

#[component]
fn Field(
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <div class="input" data-size="sm">
                <input id=name name=name type=kind value=value />
            </div>
        </div>
    }
    .into_any()
}
