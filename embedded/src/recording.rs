//! Changes by clients of the port, and their refused requests, for the application's record.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use crate::{
    auth::authorization::authorize,
    error::ApiError,
    guard::{Change, Client, Guard},
    http::{
        request::ApiRequest,
        response::{ApiResponse, Body},
    },
    routes::Route,
};

/// Fields of responses that list changed keys.
const LISTS_OF_KEYS: [&str; 2] = ["invalidated_api_keys", "updated"];

/// A change that a handler makes. It is recorded when it has succeeded, or when the request ends
/// before its outcome is known: its client may leave at any time.
pub(crate) struct Recording {
    guard: Arc<dyn Guard>,
    change: Option<Change>,
    /// False if the route or the caller can change nothing. Otherwise an agent's key could fill the
    /// log.
    may_be_unknown: bool,
    /// True if the route changes something.
    changes: bool,
}

impl Recording {
    /// Begins to record the request of a client of the port, if its route changes something.
    pub(crate) fn begin(request: &ApiRequest<'_>, route: &Route) -> Option<Self> {
        let (Some(guarded_by), Client::Other(client)) = (&request.state.guard, request.client)
        else {
            return None;
        };
        let caller = &request.caller;
        let actor = caller.on_behalf.as_ref().unwrap_or(&caller.subject);
        let change = Change {
            action: route.action,
            username: actor.username.clone(),
            realm: actor.realm.name.clone(),
            api_key: actor.api_key_id().map(str::to_owned),
            client,
            targets: request.segments.clone(),
            succeeded: false,
        };
        Some(Self {
            guard: Arc::clone(&guarded_by.guard),
            change: Some(change),
            may_be_unknown: route.changes()
                && (actor.api_key_id().is_none() || authorize(caller, request.action).is_ok()),
            changes: route.changes(),
        })
    }

    /// Records the outcome: a change, an unknown one, or that privileges were missing.
    pub(crate) async fn end(mut self, result: &Result<ApiResponse, ApiError>) {
        let Some(mut change) = self.change.take() else {
            return;
        };
        match result {
            Err(ApiError::Unauthorized(_)) => {
                self.guard.record_refusal(change).await;
                return;
            }
            Ok(response) if self.changes && !response.changed_nothing() => {
                change.targets.extend(response.names());
                change.succeeded = true;
            }
            Err(ApiError::Internal(_) | ApiError::TimedOut) if self.may_be_unknown => {}
            _ => return,
        }
        self.guard.record_change(change).await;
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(change) = self.change.take()
            && self.may_be_unknown
        {
            tokio::spawn(self.guard.record_change(change));
        }
    }
}

impl ApiResponse {
    /// Returns true if there was nothing to change.
    fn changed_nothing(&self) -> bool {
        let Body::Value(body) = &self.body else {
            return true;
        };
        let is = |field: &str| body.get(field).and_then(Value::as_bool);
        let no_keys = LISTS_OF_KEYS
            .into_iter()
            .filter_map(|field| body.get(field)?.as_array())
            .any(Vec::is_empty);
        self.status != StatusCode::OK || is("updated") == Some(false) || no_keys
    }

    /// Ids and names of the keys in the response to a change, and the user of an issued token.
    fn names(&self) -> Vec<String> {
        let Body::Value(body) = &self.body else {
            return Vec::new();
        };
        let one = ["id", "name"]
            .into_iter()
            .filter_map(|field| body.get(field));
        let many = LISTS_OF_KEYS
            .into_iter()
            .filter_map(|field| body.get(field)?.as_array())
            .flatten();
        let user = body.pointer("/authentication/username");
        one.chain(many)
            .chain(user)
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }
}
