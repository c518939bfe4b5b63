//! Sessions, the one used last first, each with a button that ends it.

use super::Actions;
use crate::{
    components::{
        badge::{Badge, Tone},
        form::ActionForm,
        moment::Moment,
    },
    model::{
        session::{LiveSession, SessionList},
        timestamp::Timestamp,
    },
};
use leptos::prelude::*;

/// Whose sessions a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of whoever looks.
    Own,
    /// Everybody else's.
    OtherPeople,
}

/// The table.
#[component]
pub(super) fn SessionTable(list: SessionList, actions: Actions, whose: Whose) -> impl IntoView {
    let name = match whose {
        Whose::Own => "Your sessions",
        Whose::OtherPeople => "Sessions of other people",
    };
    let person = (whose == Whose::OtherPeople)
        .then(|| view! { <th role="columnheader" scope="col">"Person"</th> });
    let now = list.now;
    let rows: Vec<_> = list
        .sessions
        .into_iter()
        .map(|session| view! { <SessionRow session now actions whose /> })
        .collect();
    view! {
        <div class="table" data-stack tabindex="0" role="region" aria-label=name>
            <table role="table">
                <caption class="visually-hidden">{name}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader" scope="col">"Device"</th>
                        {person}
                        <th role="columnheader" scope="col">"Address"</th>
                        <th role="columnheader" scope="col">"Signed in"</th>
                        <th role="columnheader" scope="col">"Last used"</th>
                        <th role="columnheader" scope="col" data-cell="actions">
                            <span class="visually-hidden">"Actions"</span>
                        </th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn SessionRow(
    session: LiveSession,
    now: Timestamp,
    actions: Actions,
    whose: Whose,
) -> impl IntoView {
    let end = actions.end;
    let is_this = session.is_this;
    let not_known = || "Not known".to_owned();
    let device = session.browser.unwrap_or_else(not_known);
    let of = match whose {
        Whose::Own => format!(" session: {device}"),
        Whose::OtherPeople => format!(" session of {}: {device}", session.username),
    };
    let person = (whose == Whose::OtherPeople).then(|| {
        view! {
            <td role="cell" data-label="Person">
                <div>
                    <bdi>{session.username}</bdi>
                    <div data-part="secondary"><bdi>{session.realm}</bdi></div>
                </div>
            </td>
        }
    });
    let button = (!is_this).then(|| {
        view! {
            <ActionForm action=end>
                <input type="hidden" name="id" value=session.id />
                <button
                    type="submit"
                    class="button"
                    data-size="sm"
                    data-variant="danger-quiet"
                    disabled=move || end.pending().get()
                >
                    <span>"End" <span class="visually-hidden">{of}</span></span>
                </button>
            </ActionForm>
        }
    });
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <div>
                    <span data-part="primary">{device}</span>
                    {is_this.then(|| view! { " " <Badge tone=Tone::Accent text="This session" /> })}
                </div>
            </th>
            {person}
            <td role="cell" data-label="Address"><div><bdi class="mono">{session.address.unwrap_or_else(not_known)}</bdi></div></td>
            <td role="cell" data-label="Signed in"><div><Moment at=session.signed_in_at now /></div></td>
            <td role="cell" data-label="Last used"><div><Moment at=session.used_at now /></div></td>
            <td role="cell" data-cell="actions"><div>{button}</div></td>
        </tr>
    }
    .into_any()
}
