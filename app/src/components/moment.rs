//! A point in time: relative on the surface, absolute on request.

use crate::model::timestamp::Timestamp;
use leptos::prelude::*;

/// A moment in the past.
#[component]
pub fn Moment(
    /// When.
    at: Timestamp,
    /// The moment from which it is seen: the server's, so that both halves draw the same.
    now: Timestamp,
) -> impl IntoView {
    view! { <time datetime=at.iso() title=at.date_and_minute()>{at.ago(now)}</time> }
}
