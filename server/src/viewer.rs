//! The signed-in user and the cluster, for the frame around every page; and what the sign-in page shows.

use crate::{context::RequestContext, elasticsearch, error::Error, role};
use app::model::{
    problem::ElasticsearchFault,
    session::{Access, Cluster, ClusterAbout, LoginInfo, Viewer},
};

/// Returns the user and their permissions. While Elasticsearch is down the session alone answers, so that the frame,
/// the user's own sessions and sign-out still work.
pub async fn load_viewer(ctx: &RequestContext) -> Result<Viewer, Error> {
    let connection = ctx.elasticsearch()?;
    let (permissions, info) = tokio::join!(ctx.permissions(), connection.info());
    let (access, is_down) = match permissions {
        Ok(permissions) => (permissions.access().clone(), false),
        Err(error) if error.is_outage() => (Access::none(), true),
        Err(error) => return Err(error),
    };
    if let Err(error @ elasticsearch::Error::Fault { fault, .. }) = &info
        && matches!(
            fault,
            ElasticsearchFault::TooOld { .. } | ElasticsearchFault::OpenSearch
        )
    {
        return Err(error.clone().into());
    }
    // Agent key users lack the privilege to see name and version, and do not need it.
    let about = info.ok().map(|info| ClusterAbout {
        name: info.cluster_name,
        version: info.version.number,
    });
    let needs_help = !access.list.is_granted() && !is_down;
    let role_request = needs_help.then(|| role::request(ctx.state.kibana_feature.resource()));
    let identity = &ctx.session()?.identity;
    Ok(Viewer {
        role_request,
        username: identity.username.clone(),
        realm: identity.realm.clone(),
        full_name: identity.full_name.clone(),
        access,
        cluster: Cluster {
            url: ctx.state.elasticsearch.address().to_owned(),
            embedded: ctx.state.elasticsearch.is_embedded(),
            about,
            is_down,
        },
    })
}

/// Returns what the sign-in page shows. An unreachable Elasticsearch is not an error.
pub async fn login_info(ctx: &RequestContext) -> LoginInfo {
    let elasticsearch = &ctx.state.elasticsearch;
    LoginInfo {
        url: elasticsearch.address().to_owned(),
        embedded: elasticsearch.is_embedded(),
        reachable: elasticsearch.is_reachable().await,
        plain_http: ctx.plain_http(),
    }
}
