//! Download of the audit log.

use super::{
    Web, context_of,
    error_format::{problem_response, wants_page},
    pages::{reason, reauthenticate_for, render, to_login},
};
use crate::audit::export::{Format, export};
use app::{
    model::{audit::AuditQuery, problem::ProblemKind},
    urls::AUDIT,
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use url::form_urlencoded;

pub(super) async fn lines(State(web): State<Web>, request: Request) -> Response {
    answer(&web, request, Format::Lines).await
}

pub(super) async fn csv(State(web): State<Web>, request: Request) -> Response {
    answer(&web, request, Format::Csv).await
}

async fn answer(web: &Web, request: Request, format: Format) -> Response {
    // A download is recorded, so only a person who asks for it on our page causes one.
    if request.method() == Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let (mut parts, body) = request.into_parts();
    let ctx = context_of(web, &parts);
    // The page with the same filters, which explains a missing session or privilege.
    let page = parts.uri.query().map_or_else(
        || Uri::from_static(AUDIT),
        |query| {
            format!("{AUDIT}?{query}")
                .parse()
                .unwrap_or_else(|_| Uri::from_static(AUDIT))
        },
    );
    if is_from_another_site(&parts.headers) {
        return Redirect::to(&web.base_path.join(&page.to_string())).into_response();
    }
    if !ctx.is_signed_in() && wants_page(&parts.headers) {
        return to_login(web, &page, reason(web, &parts));
    }
    let parameters: Vec<_> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).collect();
    let pairs = parameters
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()));
    let query = AuditQuery::from_parameters(pairs);
    match ctx.answer(export(&ctx, query, format)).await {
        Ok(export) => file(Body::from_stream(export), format),
        Err(problem)
            if problem.kind == ProblemKind::ReauthRequired && wants_page(&parts.headers) =>
        {
            Redirect::to(&reauthenticate_for(web, &parts.uri)).into_response()
        }
        Err(problem) if wants_page(&parts.headers) => {
            parts.uri = page;
            let mut response = render(web, Request::from_parts(parts, body), None).await;
            *response.status_mut() = StatusCode::from_u16(problem.kind.status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response
        }
        Err(problem) => problem_response(&problem),
    }
}

fn is_from_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site == "cross-site" || site == "same-site")
}

fn file(body: Body, format: Format) -> Response {
    let (kind, disposition) = match format {
        Format::Lines => (
            "application/x-ndjson",
            "attachment; filename=\"agent-keys-audit.jsonl\"",
        ),
        Format::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=\"agent-keys-audit.csv\"",
        ),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
