//! Hydration.

use leptos::prelude::*;

/// Returns true while the browser hydrates the page that the server rendered.
pub fn is_hydrating() -> bool {
    Owner::current_shared_context().is_some_and(|context| context.during_hydration())
}
