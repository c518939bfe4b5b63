//! Hydration: the script takes over the page that the server drew.

use leptos::prelude::*;

/// Returns true while the script takes over the page that the server drew.
pub fn is_hydrating() -> bool {
    Owner::current_shared_context().is_some_and(|context| context.during_hydration())
}
