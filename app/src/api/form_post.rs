//! Encoding of forms that change something: URL-encoded, with the user whose page holds the form.
//!
//! Another user may have signed in meanwhile, in another tab. The server then refuses the form
//! (`server/src/http/server_functions.rs`), with and without script.

use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType, codec::Post};
use serde::{Serialize, de::DeserializeOwned};

/// Input codec of every server function that changes something. Forms accept no other.
pub type FormPost = Post<UserForm>;

/// Field with the mark of the user.
pub const USER_FIELD: &str = "user";

pub struct UserForm;

impl ContentType for UserForm {
    const CONTENT_TYPE: &'static str = "application/x-www-form-urlencoded";
}

impl FormatType for UserForm {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for UserForm {
    type Error = serde_qs::Error;

    fn encode(form: &T) -> Result<Bytes, Self::Error> {
        let fields = serde_qs::to_string(form)?;
        let user = page_user().unwrap_or_default();
        Ok(format!("{fields}&{USER_FIELD}={user}").into())
    }
}

impl<T: DeserializeOwned> Decodes<T> for UserForm {
    type Error = serde_qs::Error;

    fn decode(body: Bytes) -> Result<T, Self::Error> {
        serde_qs::Config::new(5, false).deserialize_bytes(&body)
    }
}

/// Returns the mark of the user for whom the server rendered the page; `None` before sign-in.
pub fn page_user() -> Option<String> {
    #[cfg(feature = "server")]
    let user = crate::backend::backend().ok()?.user_mark();
    #[cfg(feature = "hydrate")]
    let user = user_element()?.get_attribute("content");
    #[cfg(not(any(feature = "server", feature = "hydrate")))]
    let user = None;
    user
}

/// Sets the user for whom the forms of the page are sent from now on.
pub fn set_page_user(mark: &str) {
    #[cfg(feature = "hydrate")]
    if let Some(element) = user_element() {
        // On failure the server refuses the next form too.
        let _ = element.set_attribute("content", mark);
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = mark;
}

#[cfg(feature = "hydrate")]
fn user_element() -> Option<leptos::web_sys::Element> {
    let page = leptos::prelude::document();
    page.query_selector("meta[name=user]").ok()?
}
