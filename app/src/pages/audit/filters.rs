//! What narrows the log: one form, which works as it stands.

use crate::{
    components::icon::{Icon, IconName},
    model::audit::{Action, AuditQuery, Outcome},
    urls,
};
use leptos::prelude::*;
use leptos_router::components::Form;

/// The form.
#[component]
pub(super) fn Filters(current: AuditQuery) -> impl IntoView {
    let actions = Action::ALL.map(|action| (action.name(), action.label()));
    let outcomes = Outcome::ALL.map(|outcome| (outcome.name(), outcome.label()));
    let clear = current.is_filtered().then(|| {
        view! { <a class="button" data-variant="quiet" data-size="sm" href=urls::audit()>"Clear all"</a> }
    });
    view! {
        <search>
            <Form method="GET" action=urls::audit()>
                <div class="audit-filters">
                    <Field name="person" label="Person" kind="search" value=current.person.into() />
                    <Field name="target" label="Target" kind="search" value=current.target.into() />
                    <Choice
                        name="action"
                        label="Action"
                        options=actions.to_vec()
                        chosen=current.action.map(Action::name)
                    />
                    <Choice
                        name="outcome"
                        label="Outcome"
                        options=outcomes.to_vec()
                        chosen=current.outcome.map(Outcome::name)
                    />
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

/// One of the options, or any. An option is its word in the address and its label.
#[component]
fn Choice(
    name: &'static str,
    label: &'static str,
    options: Vec<(&'static str, &'static str)>,
    chosen: Option<&'static str>,
) -> impl IntoView {
    let options: Vec<_> = options
        .into_iter()
        .map(|(word, label)| {
            view! { <option value=word selected=chosen == Some(word)>{label}</option> }
        })
        .collect();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <div class="input" data-size="sm">
                <select id=name name=name>
                    <option value="">"Any"</option>
                    {options}
                </select>
                <Icon name=IconName::Down size="sm" />
            </div>
        </div>
    }
    .into_any()
}
