//! Addresses with a query.

use leptos::prelude::*;
use leptos_router::{hooks::use_location, location::Url, params::ParamsMap};

/// The parameters of the page's address. The router's `use_query_map` decodes them twice: what stands for the user
/// `%2F` would name the user `/`.
pub fn use_parameters() -> Memo<ParamsMap> {
    let search = use_location().search;
    Memo::new(move |_| parse(&search.read()))
}

fn parse(search: &str) -> ParamsMap {
    let mut parameters = ParamsMap::new();
    let pairs = search.trim_start_matches('?').split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // The map decodes the value.
        parameters.insert(Url::unescape(name), value.replace('+', " "));
    }
    parameters
}

/// The path with these parameters, each escaped.
pub(super) fn with_parameters(path: &str, parameters: &[(&str, String)]) -> String {
    let mut address = path.to_owned();
    for (number, (name, value)) in parameters.iter().enumerate() {
        let mark = if number == 0 { '?' } else { '&' };
        address.push(mark);
        address.push_str(name);
        address.push('=');
        address.push_str(&Url::escape(value));
    }
    address
}
