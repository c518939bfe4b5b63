//! Results of a bulk revocation.

use super::toolbar::list_with;
use crate::pages::agent_keys::table::InCache;
use crate::{
    api::agent_keys::RevokeAgentKeys,
    components::{
        dialog::DialogHead,
        form::ActionForm,
        icon::{Icon, IconName},
        problem::ProblemCallout,
        status::{Announce, Badge, Callout, Tone},
        table::{Table, Th},
    },
    model::{
        key_list::KeyListQuery,
        revocation::{KeyRevocation, RevocationEnding},
        text::{grouped, keys, visible},
    },
};
use leptos::{html, prelude::*};
use leptos_router::location::Url;

/// Id of the dialog's heading.
pub(super) const BULK_TITLE: &str = "revoke-many-title";

/// The results. Keys that were not revoked stay selected and can be tried again.
#[component]
pub(super) fn Revoked(
    told: Vec<KeyRevocation>,
    /// Query of the list behind the dialog.
    query: KeyListQuery,
    revoke: ServerAction<RevokeAgentKeys>,
) -> impl IntoView {
    let counts = Counts::of(&told);
    let retry: Vec<String> = told
        .iter()
        .filter(|key| key.ending.can_be_retried())
        .map(|key| key.id.to_string())
        .collect();
    let close = list_with(&query, retry.iter().map(String::as_str));
    // The button that had the focus no longer exists.
    let way_out = NodeRef::<html::A>::new();
    Effect::new(move || {
        if let Some(way_out) = way_out.get() {
            // On failure the focus stays where it is.
            let _ = way_out.focus();
        }
    });
    let again = (!retry.is_empty()).then(|| view! { <TryAgain ids=retry revoke /> });
    let summary = counts.summary();
    let problem = move || {
        let problem = revoke.value().get()?.err()?;
        Some(view! { <ProblemCallout problem /> })
    };
    view! {
        <DialogHead id=BULK_TITLE title=counts.title() help=Some(summary) close=close.clone() />
        <div data-part="body" class="stack">
            {problem}
            <Consequences counts />
            <ResultTable told=told.clone() />
        </div>
        <div data-part="foot">
            <ResultFile told />
            <span class="push-end"></span>
            <a class="button" node_ref=way_out href=close>"Close"</a>
            {again}
        </div>
    }
    .into_any()
}

/// Maximum number of rows in the table of results. The file holds all.
const ROWS_MAX: usize = 1_000;

/// Results by key, failures first.
#[component]
pub(super) fn ResultTable(mut told: Vec<KeyRevocation>) -> impl IntoView {
    told.sort_by_key(|key| key.ending);
    let more = told.len().saturating_sub(ROWS_MAX);
    told.truncate(ROWS_MAX);
    let rows: Vec<_> = told.into_iter().map(|key| view! { <Row key /> }).collect();
    let head = view! {
        <Th text="Key" />
        <Th text="Result" />
    };
    view! {
        <div class="panel" data-variant="flat">
            <Table
                label="Result for each key"
                caption="Result for each key"
                class="table key-choice"
                stack="late"
                density="compact"
                head=head.into_any()
                rows=rows.into_any()
            />
        </div>
        {(more > 0).then(|| view! { <p class="small muted">"The file also lists the other " {keys(more as u64)} "."</p> })}
    }
    .into_any()
}

/// Link that saves the results as a file, with and without script.
#[component]
pub(super) fn ResultFile(told: Vec<KeyRevocation>) -> impl IntoView {
    let href = format!(
        "data:text/csv;charset=utf-8,{}",
        Url::escape(&as_csv(&told))
    );
    view! {
        <a class="button" data-variant="quiet" href=href download="revoked-keys.csv" rel="external">
            "Download results"
        </a>
    }
    .into_any()
}

/// Returns a sentence with the number of keys per result.
pub(super) fn counts_sentence(told: &[KeyRevocation]) -> String {
    Counts::of(told).summary()
}

/// Consequences for agents.
#[component]
fn Consequences(counts: Counts) -> impl IntoView {
    let soon = if counts.in_cache > 0 {
        "The revoked keys cannot be restored."
    } else {
        "Elasticsearch now rejects the revoked keys. APM Server may accept them for up to a minute."
    };
    let again = "You can safely try the other keys again.";
    let (tone, announce, title, text) = match (counts.revoked, counts.to_retry()) {
        (0, 0) => (
            Tone::Accent,
            Announce::Status,
            "Nothing was changed.",
            "None of these keys could be revoked.".to_owned(),
        ),
        (0, _) => (
            Tone::Danger,
            Announce::Alert,
            "No key was revoked.",
            again.to_owned(),
        ),
        (_, 0) => (Tone::Success, Announce::Status, "Done.", soon.to_owned()),
        (_, _) => (
            Tone::Warning,
            Announce::Alert,
            "Partly done.",
            format!("{soon} {again}"),
        ),
    };
    view! {
        <Callout tone announce small=true>
            <p><strong>{title}</strong> " " {text}</p>
        </Callout>
        {(counts.in_cache > 0)
            .then(|| {
                view! {
                    <Callout tone=Tone::Warning announce=Announce::Alert small=true>
                        <p><strong>"Some keys are still cached."</strong> " " <InCache ids="*" /></p>
                    </Callout>
                }
            })}
    }
    .into_any()
}

/// Retries the keys that were not revoked. Their number counts as confirmed: the user has just confirmed a larger one.
#[component]
fn TryAgain(ids: Vec<String>, revoke: ServerAction<RevokeAgentKeys>) -> impl IntoView {
    let count = ids.len();
    let noun = if count == 1 { "key" } else { "keys" };
    let pending = revoke.pending();
    let fields: Vec<_> = ids
        .into_iter()
        .map(|id| view! { <input type="hidden" name="ids[]" value=id /> })
        .collect();
    view! {
        <ActionForm action=revoke>
            {fields}
            <input type="hidden" name="typed" value=count.to_string() />
            <button
                class="button"
                data-variant="primary"
                type="submit"
                disabled=move || pending.get()
                aria-busy=move || pending.get().then_some("true")
            >
                <Icon name=IconName::Rotate />
                {format!("Try {count} failed {noun} again")}
            </button>
        </ActionForm>
    }
    .into_any()
}

#[component]
fn Row(key: KeyRevocation) -> impl IntoView {
    let (tone, icon, word, more) = words(key.ending);
    let id = key.id.to_string();
    let named = match key.name {
        Some(name) => view! {
            <span data-part="primary"><bdi>{crate::pages::agent_keys::table::or_dash(&name)}</bdi></span>
            <div data-part="secondary"><span class="mono">{id}</span></div>
        }
        .into_any(),
        None => view! { <span class="mono">{id}</span> }.into_any(),
    };
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">{named}</th>
            <td role="cell" data-label="Result">
                <div>
                    <Badge tone icon text=word />
                    {(!more.is_empty()).then(|| view! { <div data-part="secondary">{more}</div> })}
                </div>
            </td>
        </tr>
    }
    .into_any()
}

fn words(ending: RevocationEnding) -> (Tone, IconName, &'static str, &'static str) {
    match ending {
        RevocationEnding::StillActive => (
            Tone::Danger,
            IconName::Fail,
            "Failed",
            "Elasticsearch did not revoke it. The key is still active.",
        ),
        RevocationEnding::Unconfirmed => (
            Tone::Warning,
            IconName::Warn,
            "Not confirmed",
            "Elasticsearch sent no usable response. The key may still be active.",
        ),
        RevocationEnding::NotFound => (
            Tone::Neutral,
            IconName::Fail,
            "Not found",
            "It does not exist, or it belongs to another user.",
        ),
        RevocationEnding::RevokedInCache => (
            Tone::Warning,
            IconName::Warn,
            "Revoked, still cached",
            "Some nodes may accept it for up to 15 minutes.",
        ),
        RevocationEnding::Revoked => (Tone::Success, IconName::Check, "Revoked", ""),
        RevocationEnding::Already => (Tone::Neutral, IconName::Skip, "Already revoked", ""),
    }
}

/// Returns the results as CSV, one line per key. A name that looks like a formula gets a quote in front.
fn as_csv(told: &[KeyRevocation]) -> String {
    let line = |key: &KeyRevocation| {
        let (_, _, word, _) = words(key.ending);
        let name = visible(key.name.as_deref().unwrap_or(""));
        let formula = name.starts_with(['=', '+', '-', '@']);
        let name = format!("{}{name}", if formula { "'" } else { "" });
        format!("{},\"{}\",{word}\r\n", key.id, name.replace('"', "\"\""))
    };
    let lines: String = told.iter().map(line).collect();
    format!("id,name,result\r\n{lines}")
}

/// Number of keys per result.
#[derive(Clone, Copy)]
struct Counts {
    still_active: usize,
    unconfirmed: usize,
    not_found: usize,
    /// Includes the cached ones.
    revoked: usize,
    in_cache: usize,
    already: usize,
}

impl Counts {
    fn of(told: &[KeyRevocation]) -> Self {
        let count = |ending| told.iter().filter(|key| key.ending == ending).count();
        let in_cache = count(RevocationEnding::RevokedInCache);
        Self {
            still_active: count(RevocationEnding::StillActive),
            unconfirmed: count(RevocationEnding::Unconfirmed),
            not_found: count(RevocationEnding::NotFound),
            revoked: in_cache + count(RevocationEnding::Revoked),
            in_cache,
            already: count(RevocationEnding::Already),
        }
    }

    fn to_retry(self) -> usize {
        self.still_active + self.unconfirmed
    }

    fn total(self) -> usize {
        self.to_retry() + self.not_found + self.revoked + self.already
    }

    fn title(self) -> String {
        let total = self.total();
        if self.revoked == total {
            format!("{} revoked", keys(total as u64))
        } else {
            format!(
                "{} of {} revoked",
                grouped(self.revoked as u64),
                keys(total as u64)
            )
        }
    }

    /// Returns a sentence with all counts.
    fn summary(self) -> String {
        let part = |count: usize, one: &str, many: &str| {
            (count > 0).then(|| {
                format!(
                    "{} {}",
                    grouped(count as u64),
                    if count == 1 { one } else { many }
                )
            })
        };
        let parts = [
            part(self.revoked, "revoked", "revoked"),
            part(self.already, "was already revoked", "were already revoked"),
            part(self.still_active, "is still active", "are still active"),
            part(self.unconfirmed, "is not confirmed", "are not confirmed"),
            part(self.not_found, "was not found", "were not found"),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        format!("{}.", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_file_has_a_line_per_key_and_no_formula() {
        let key = |id: &str, name: Option<&str>, ending| KeyRevocation {
            id: crate::model::agent_key::KeyId::parse(id).unwrap(),
            name: name.map(str::to_owned),
            ending,
        };
        let told = [
            key("a1", Some("check \"out\",\n1"), RevocationEnding::Revoked),
            key("b2", Some("=1+1"), RevocationEnding::StillActive),
            key("c3", None, RevocationEnding::NotFound),
        ];
        assert_eq!(
            as_csv(&told),
            "id,name,result\r\na1,\"check \"\"out\"\",⟨U+000A⟩1\",Revoked\r\n\
             b2,\"'=1+1\",Failed\r\nc3,\"\",Not found\r\n"
        );
    }

    #[test]
    fn summary_names_every_result() {
        let counts = Counts {
            still_active: 37,
            unconfirmed: 0,
            not_found: 1,
            revoked: 63,
            in_cache: 0,
            already: 2,
        };
        assert_eq!(counts.title(), "63 of 103 keys revoked");
        assert_eq!(
            counts.summary(),
            "63 revoked, 2 were already revoked, 37 are still active, 1 was not found."
        );
    }
}
