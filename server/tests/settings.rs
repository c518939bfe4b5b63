//! The settings of the APM integration.

use crate::support::App;
use app::model::{
    agent_key::CreatedAgentKey,
    apm_settings::{ApmIntegration, ServerUrlError},
    problem::ProblemKind,
};
use http::StatusCode;

#[tokio::test]
async fn settings_are_saved_and_feed_the_snippets() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let read = async || -> ApmIntegration { admin.post("read_apm_integration", &[]).await.value() };
    let before = read().await;
    assert_eq!(
        (
            before.settings.api_key_limit,
            before.settings.api_key_enabled
        ),
        (100, false)
    );
    assert_eq!(
        (before.active_keys, before.counts_everybody),
        (Some(0), true)
    );
    assert_eq!(before.elasticsearch_url, app.engine.url());
    let form = [
        ("form[server_url]", "https://apm.example.com:8200/"),
        ("form[api_key_enabled]", "on"),
        ("form[api_key_limit]", "250"),
    ];
    assert_eq!(
        admin.post("save_apm_settings", &form).await.status,
        StatusCode::OK
    );
    let after = read().await;
    assert_eq!(
        (after.settings.api_key_limit, after.settings.api_key_enabled),
        (250, true)
    );
    let created: CreatedAgentKey = admin.create("with an address").await.value();
    assert_eq!(
        created.apm_server_url.as_deref(),
        Some("https://apm.example.com:8200")
    );
    assert_eq!(read().await.active_keys, Some(1));
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_at_the_field() {
    let app = App::start().await;
    let admin = app.as_admin().await;
    let form = [
        ("form[server_url]", "apm.example.com"),
        ("form[api_key_limit]", "0"),
    ];
    match admin.post("save_apm_settings", &form).await.problem() {
        ProblemKind::ApmSettings(errors) => {
            assert_eq!(errors.server_url, Some(ServerUrlError::Scheme));
            assert!(errors.limit);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whoever_may_not_list_keys_is_not_told_their_number() {
    let app = App::start().await;
    let stranger = app.with_user("stranger", &[]).await;
    let read: ApmIntegration = stranger.post("read_apm_integration", &[]).await.value();
    assert_eq!((read.active_keys, read.counts_everybody), (None, false));
}
