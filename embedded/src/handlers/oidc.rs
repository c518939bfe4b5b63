//! Sign-in through OpenID Connect realms: `/_security/oidc`. The caller is the application that the
//! user signs in to.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    auth::authenticate::subject_of_token,
    error::ApiError,
    fields::Fields,
    handlers::tokens::{issue, issued, require_service},
    http::{request::ApiRequest, response::ApiResponse},
    identity::{self, CredentialKind},
    oidc::{OidcError, OidcUser, REALM_TYPE, Realm},
    roles::mapping::{MappedUser, mapped_roles},
    store::tokens::{FrozenIdentity, TokenSelection, TokenSubject},
};

/// Returns the address at the provider where the browser begins to sign in, with the state and the
/// nonce that the application keeps.
pub(crate) async fn prepare_oidc(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let mut fields = request.fields_xcontent("oidc_prepare_authentication")?;
    let realm = fields.string("realm")?;
    let issuer = fields.string("iss")?;
    let login_hint = fields.string("login_hint")?;
    let (state, nonce) = (fields.string("state")?, fields.string("nonce")?);
    fields.finish()?;
    let rule = match (&realm, &issuer) {
        (None, None) => Some("one of [realm, issuer] must be provided"),
        (Some(_), Some(_)) => {
            Some("only one of [realm, issuer] can be provided in the same request")
        }
        _ => None,
    };
    if let Some(rule) = rule {
        return Err(ApiError::validation(rule));
    }
    require_service(request)?;
    request.authorize()?;
    let found = match (&realm, &issuer) {
        (Some(name), _) => find(request, |realm| realm.name() == name)
            .ok_or_else(|| format!("Cannot find OpenID Connect realm with name [{name}]")),
        (None, issuer) => {
            let issuer = issuer.as_deref().unwrap_or_default();
            find(request, |realm| realm.issuer() == issuer)
                .ok_or_else(|| format!("Cannot find OpenID Connect realm with issuer [{issuer}]"))
        }
    };
    let realm = found.map_err(ApiError::SecurityFailure)?;
    let random = |given: Option<String>| match given {
        Some(given) => Ok(SecretString::from(given)),
        None => request.state.random.secret(),
    };
    let (state, nonce) = (random(state)?, random(nonce)?);
    let (state, nonce) = (state.expose_secret(), nonce.expose_secret());
    let redirect = realm
        .authorization_url(state, nonce, login_hint.as_deref())
        .await
        .map_err(|error| unavailable(realm, &error))?;
    Ok(ApiResponse::ok(json!({
        "redirect": redirect,
        "state": state,
        "nonce": nonce,
        "realm": realm.name(),
    })))
}

/// Ends a sign-in: checks what the provider answered to the browser, and issues tokens for the user
/// with the roles of the role mappings.
pub(crate) async fn authenticate_oidc(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let mut fields = request.fields_xcontent("oidc_authn")?;
    let required =
        |fields: &mut Fields, name: &str| fields.string(name).map(Option::unwrap_or_default);
    let redirect_uri = required(&mut fields, "redirect_uri")?;
    let (state, nonce) = (
        required(&mut fields, "state")?,
        required(&mut fields, "nonce")?,
    );
    let realm = fields.string("realm")?;
    fields.finish()?;
    let missing = [
        ("redirect_uri", &redirect_uri),
        ("state", &state),
        ("nonce", &nonce),
    ];
    let missing = missing.into_iter().filter(|(_, value)| value.is_empty());
    let problems = missing.map(|(name, _)| format!("{name} parameter is missing"));
    ApiError::check_rules(problems.collect())?;
    require_service(request)?;
    request.authorize()?;
    let engine = request.state;
    let refused = || ApiError::Unauthenticated {
        reason: format!(
            "unable to authenticate user [<OIDC Token>] for action [{}]",
            request.action.name
        ),
        detail: None,
    };
    let realm = find(request, |candidate| {
        realm.as_ref().is_none_or(|name| candidate.name() == name)
    });
    let realm = realm.ok_or_else(refused)?;
    let now_ms = engine.clock.now_ms();
    let user = realm
        .authenticate(&redirect_uri, &state, &nonce, now_ms)
        .await
        .map_err(|error| {
            tracing::warn!(realm = realm.name(), %error, "a sign-in at a provider failed");
            refused()
        })?;
    let subject = mapped(request, realm, user).await?;
    let pair = issue(request, &subject, true).await?;
    let subject = subject_of_token(engine, subject, CredentialKind::Password)
        .await?
        .ok_or_else(refused)?;
    let username = subject.username.clone();
    let mut body = issued(&pair, subject);
    body.remove("type");
    body.insert("username".to_owned(), username.into());
    Ok(ApiResponse::ok(body.into()))
}

/// The user as the tokens hold it, with the roles of the mappings at this moment.
async fn mapped(
    request: &ApiRequest<'_>,
    realm: &Realm,
    user: OidcUser,
) -> Result<TokenSubject, ApiError> {
    let mappings = request.state.store.role_mappings().await?;
    let mapped = MappedUser {
        username: &user.username,
        realm: realm.name(),
        groups: &user.groups,
        metadata: &user.metadata,
    };
    Ok(TokenSubject {
        identity: FrozenIdentity {
            roles: mapped_roles(&mappings, &mapped),
            full_name: user.full_name,
            email: user.email,
            metadata: user.metadata,
        },
        username: user.username,
        realm: identity::Realm {
            name: realm.name().to_owned(),
            kind: REALM_TYPE.to_owned(),
        },
    })
}

/// Invalidates both tokens of a user, and returns the address at the provider where the browser ends
/// to be signed in, or null.
pub(crate) async fn logout_oidc(request: &ApiRequest<'_>) -> Result<ApiResponse, ApiError> {
    let mut fields = request.fields_xcontent("oidc_logout")?;
    let token = fields.string("token")?.map(SecretString::from);
    let refresh_token = fields.string("refresh_token")?.map(SecretString::from);
    fields.finish()?;
    let Some(token) = token else {
        return Err(ApiError::validation("token is missing"));
    };
    require_service(request)?;
    request.authorize()?;
    let state = request.state;
    let now_ms = state.clock.now_ms();
    let Some(of_token) = state.store.realm_of_token(&token).await? else {
        return Err(ApiError::SecurityFailure(
            "supplied token is not valid".to_owned(),
        ));
    };
    let selections = refresh_token
        .map(TokenSelection::Refresh)
        .into_iter()
        .chain([TokenSelection::Access(token)]);
    for selection in selections {
        state.store.invalidate_tokens(&selection, now_ms).await?;
    }
    let realm = find(request, |realm| {
        of_token.kind == REALM_TYPE && realm.name() == of_token.name
    });
    let Some(realm) = realm else {
        return Err(ApiError::illegal(
            "Access token is not valid for an OpenID Connect realm",
        ));
    };
    // The tokens are gone already. Without the provider, the browser stays signed in there.
    let redirect = realm.logout_url().await.unwrap_or_else(|error| {
        tracing::warn!(realm = realm.name(), %error, "a provider cannot end a sign-in");
        None
    });
    Ok(ApiResponse::ok(
        json!({ "redirect": redirect.map_or(Value::Null, Value::String) }),
    ))
}

fn find<'a>(request: &ApiRequest<'a>, fits: impl Fn(&Realm) -> bool) -> Option<&'a Realm> {
    request.state.oidc_realms.iter().find(|realm| fits(realm))
}

fn unavailable(realm: &Realm, error: &OidcError) -> ApiError {
    tracing::warn!(realm = realm.name(), %error, "a provider cannot be reached");
    ApiError::SecurityFailure(format!(
        "the OpenID Connect provider of realm [{}] cannot be used",
        realm.name()
    ))
}
