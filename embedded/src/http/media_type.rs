//! Content negotiation by `Accept` and `Content-Type`.
//!
//! Elasticsearch parses each header as one media type. An `Accept` with a comma or `*/*` counts as
//! absent. An unknown well-formed type is ignored in `Accept`, and refused for a body.

use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT, CONTENT_TYPE},
};

use crate::error::ApiError;

/// The `Content-Type` of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/json`
    Json,
    /// `application/vnd.elasticsearch+json;compatible-with=N`
    Versioned(u32),
}

impl MediaType {
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Versioned(7) => "application/vnd.elasticsearch+json;compatible-with=7",
            Self::Versioned(8) => "application/vnd.elasticsearch+json;compatible-with=8",
            Self::Versioned(_) => "application/vnd.elasticsearch+json;compatible-with=9",
        }
    }
}

/// A media type in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Json,
    Version(u32),
    Unknown,
}

/// Returns the media type of the response. `with_body` is true for a request with a body; `major`
/// is the version answered as.
pub(crate) fn negotiate(
    headers: &HeaderMap,
    with_body: bool,
    major: u32,
) -> Result<MediaType, ApiError> {
    let accept = read_header(headers, &ACCEPT, "Accept")?;
    let content_type = read_header(headers, &CONTENT_TYPE, "Content-Type")?;
    if with_body && !matches!(content_type, Some((Named::Json | Named::Version(_), _))) {
        let sent = content_type.map(|(_, text)| text.to_owned());
        return Err(ApiError::UnsupportedContentType(sent));
    }
    let version = |named: Option<(Named, &str)>| match named {
        Some((Named::Version(version), _)) => Some(version),
        _ => None,
    };
    let (wanted, sent) = (version(accept), version(content_type));
    let text = |named: Option<(Named, &str)>| named.map_or("null", |(_, text)| text).to_owned();
    for (version, name, value) in [
        (wanted, "Accept", accept),
        (sent.filter(|_| with_body), "Content-Type", content_type),
    ] {
        if let Some(version) = version.filter(|version| *version != major && version + 1 != major) {
            return Err(incompatible(format!(
                "{name} version must be either version {major} or {}, but found {version}. {name}={}",
                major - 1,
                text(value),
            )));
        }
    }
    // With a body, both headers have a version or neither has.
    if with_body && wanted != sent {
        let differ = wanted.unwrap_or(major) != sent.unwrap_or(major);
        return Err(incompatible(format!(
            "A compatible version is required on both Content-Type and Accept headers if either one has requested a compatible version{}. Accept={}, Content-Type={}",
            if differ {
                " and the compatible versions must match"
            } else {
                ""
            },
            text(accept),
            text(content_type),
        )));
    }
    Ok(wanted.map_or(MediaType::Json, MediaType::Versioned))
}

fn incompatible(reason: String) -> ApiError {
    ApiError::MediaType {
        headers: "Accept, Content-Type",
        cause: Box::new(ApiError::Status(reason)),
    }
}

/// Returns the header's media type and text; `None` if it is absent or leaves the choice open.
fn read_header<'h>(
    headers: &'h HeaderMap,
    header: &HeaderName,
    name: &'static str,
) -> Result<Option<(Named, &'h str)>, ApiError> {
    let refuse = |reason: String| ApiError::MediaType {
        headers: name,
        cause: Box::new(ApiError::IllegalArgument(reason)),
    };
    let mut values = headers.get_all(header).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(refuse(format!(
            "Incorrect header [{name}]. Only one value should be provided"
        )));
    }
    let text = value.to_str().unwrap_or_default().trim();
    if text.is_empty() {
        return Err(refuse(format!("Header [{name}] cannot be empty.")));
    }
    if text.contains(',') || text.starts_with("*/*") {
        return Ok(None);
    }
    let named =
        parse_media_type(text).ok_or_else(|| refuse(format!("invalid media-type [{text}]")))?;
    Ok(Some((named, text)))
}

/// Returns `None` for an invalid media type.
fn parse_media_type(text: &str) -> Option<Named> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let is_token = |token: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        !token.is_empty() && token.chars().all(allowed)
    };
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    let mut version = None;
    for parameter in parts.filter(|part| !part.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        if !is_token(name) || value.is_empty() {
            return None;
        }
        if name.eq_ignore_ascii_case("compatible-with") {
            version = Some(value.parse().ok()?);
        }
    }
    let is = |known: &str| subtype.eq_ignore_ascii_case(known);
    if !kind.eq_ignore_ascii_case("application") {
        return Some(Named::Unknown);
    }
    Some(match version {
        _ if is("json") || is("x-ndjson") => Named::Json,
        Some(version) if is("vnd.elasticsearch+json") || is("vnd.elasticsearch+x-ndjson") => {
            Named::Version(version)
        }
        None if is("vnd.elasticsearch+json") || is("vnd.elasticsearch+x-ndjson") => Named::Json,
        _ => Named::Unknown,
    })
}
