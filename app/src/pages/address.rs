//! Addresses with a query.

use leptos_router::location::Url;

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
