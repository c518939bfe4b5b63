//! Elasticsearch does not answer, and the page shows what is remembered.

use super::{
    icon::{Icon, IconName},
    problem::sentences,
};
use crate::model::{outage::Outage, problem::ProblemKind, timestamp::Timestamp};
use crate::urls;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// Across the page's top: what is wrong since when, from when the page is, and the way to try again.
#[component]
pub fn OutageBanner(
    /// What is wrong.
    outage: Outage,
    /// What is shown: “This list”.
    what: &'static str,
    /// When Elasticsearch told it.
    read_at: Timestamp,
    /// Something more that must be known of what is shown.
    #[prop(optional_no_strip)]
    more: Option<String>,
) -> impl IntoView {
    let here = use_location();
    let (path, search) = (here.pathname.get_untracked(), here.search.get_untracked());
    let title = sentences(&ProblemKind::Elasticsearch(outage.fault)).title;
    view! {
        <div class="callout" data-tone="warning" data-variant="banner" role="alert">
            <Icon name=IconName::Unplug />
            <div>
                <h2>{title} ": no answer since " {outage.since.time_of_day()}</h2>
                <p>
                    {what} " is as of " <strong>{read_at.date_and_second()}</strong> " and read-only. "
                    {more}
                    "Agents are not affected by this page; APM Server may be."
                </p>
            </div>
            // The browser goes there by itself: everything on the page is asked for anew.
            <a class="button" href=urls::with_search(&path, &search) rel="external">
                <Icon name=IconName::Rotate />
                "Retry now"
            </a>
        </div>
    }
    .into_any()
}
