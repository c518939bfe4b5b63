//! What it means that a revoked key is still in the cache of some nodes, and what to do about it.

use leptos::prelude::*;

/// The sentences, for one key or for several.
#[component]
pub fn InCache(
    /// The key's id, or `*` for every key.
    #[prop(into)]
    ids: String,
) -> impl IntoView {
    view! {
        "Elasticsearch could not clear the key cache of every node. Some nodes may accept a revoked key for up to 15 minutes, and APM Server for a minute more. To have it refused at once, an administrator with manage_security sends "
        <code>"POST /_security/api_key/" {ids} "/_clear_cache"</code>
        "."
    }
    .into_any()
}
