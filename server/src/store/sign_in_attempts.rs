//! Counts of failed sign-ins, and the two limits computed from them.

use super::{Error, Store, Write};
use app::model::timestamp::{DAY_MS, Timestamp};
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// Failures from one address without a pause.
const ADDRESS_BURST: u32 = 10;
/// Time for one more attempt after that.
const ADDRESS_PACE: Duration = Duration::from_secs(6);

/// Most keys that are counted. Beyond, a new account is counted by its address alone; only attempts from new addresses
/// are refused.
const SUBJECTS_MAX: i64 = 200_000;

/// Failures up to which a count is forgotten early.
const FEW_FAILURES_MAX: i64 = 2;

/// Keys under which an attempt is counted: digests.
#[derive(Clone, Debug)]
pub struct LimitKeys {
    /// Of the user name, whether or not it exists, or of a browser known to the account.
    pub account: String,
    /// Of the client address, where it is known.
    pub address: Option<String>,
}

/// Decision on a sign-in attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Allowed,
    /// Refused for now.
    Paused {
        /// Refusals in a row, this one included.
        refusals: i64,
    },
}

struct Counted {
    failures: i64,
    refusals: i64,
    next_at: Timestamp,
    /// True if the clock went back, and the times were moved with it. They are kept if the transaction is committed.
    moved: bool,
}

impl Store {
    /// Decides on an attempt. A refused attempt is counted as a refusal.
    #[tracing::instrument(name = "store.sign_in.attempt", skip_all)]
    pub async fn attempt_sign_in(
        &self,
        keys: &LimitKeys,
        now: Timestamp,
    ) -> Result<Attempt, Error> {
        let mut write = self.write().await?;
        let account = counted(&mut write, &keys.account, now).await?;
        let address = match &keys.address {
            Some(address) => counted(&mut write, address, now).await?,
            None => None,
        };
        let moved = [&account, &address]
            .into_iter()
            .flatten()
            .any(|found| found.moved);
        let account_may = account.as_ref().is_none_or(|found| found.next_at <= now);
        let address_may = address
            .as_ref()
            .is_none_or(|found| address_may(found.next_at, now));
        // Without an address, the account is all there is to count.
        let is_counted = match &keys.address {
            Some(_) => address.is_some(),
            None => account.is_some(),
        };
        if account_may && address_may && (is_counted || !is_full(&mut write).await?) {
            if moved {
                write.commit().await?;
            }
            return Ok(Attempt::Allowed);
        }
        let subject = match (&keys.address, address_may) {
            (Some(address), false) => address,
            _ => &keys.account,
        };
        let refusals = refuse(&mut write, subject, now).await?;
        write.commit().await?;
        Ok(Attempt::Paused { refusals })
    }

    /// Counts a failed attempt.
    #[tracing::instrument(name = "store.sign_in.fail", skip_all)]
    pub async fn count_failed_sign_in(
        &self,
        keys: &LimitKeys,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut write = self.write().await?;
        let account = counted(&mut write, &keys.account, now).await?;
        if account.is_some() || keys.address.is_none() || !is_full(&mut write).await? {
            let failures = account.map_or(0, |found| found.failures) + 1;
            let next_at = next_for_account(failures, now);
            count(&mut write, &keys.account, failures, now, next_at).await?;
        }
        if let Some(subject) = &keys.address {
            let address = counted(&mut write, subject, now).await?;
            let used = address.as_ref().map_or(now, |found| found.next_at);
            let failures = address.map_or(0, |found| found.failures) + 1;
            let next_at = used_by_address(used, now);
            count(&mut write, subject, failures, now, next_at).await?;
        }
        write.commit().await
    }

    /// Resets the account's count after a success. The address keeps its count, or one good account would pay for a
    /// thousand guesses at others.
    #[tracing::instrument(name = "store.sign_in.succeed", skip_all)]
    pub async fn forgive_account(&self, keys: &LimitKeys) -> Result<(), Error> {
        self.note_failure(
            sqlx::query("DELETE FROM sign_in_attempts WHERE subject = $1")
                .bind(keys.account.as_str())
                .execute(&self.writer)
                .await,
        )?;
        Ok(())
    }

    /// Deletes counts without an attempt since `before`, and those of few failures without one since `few_before`.
    /// Returns their number.
    #[tracing::instrument(name = "store.sign_in.forget", skip_all)]
    pub async fn forget_sign_in_attempts(
        &self,
        before: Timestamp,
        few_before: Timestamp,
    ) -> Result<u64, Error> {
        let forgotten = self.note_failure(
            sqlx::query(
                "DELETE FROM sign_in_attempts WHERE (tried_at < $1 AND next_at < $1) \
                 OR (tried_at < $2 AND next_at < $2 AND failures <= $3)",
            )
            .bind(before.0)
            .bind(few_before.0)
            .bind(FEW_FAILURES_MAX)
            .execute(&self.writer)
            .await,
        )?;
        Ok(forgotten.rows_affected())
    }
}

/// Reads a count. If its last attempt is in the future, the clock went back: the rest of its pause begins now.
async fn counted(
    write: &mut Write,
    subject: &str,
    now: Timestamp,
) -> Result<Option<Counted>, Error> {
    let row = sqlx::query(
        "SELECT failures, refusals, tried_at, next_at FROM sign_in_attempts WHERE subject = $1",
    )
    .bind(subject)
    .fetch_optional(&mut **write)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let tried_at: i64 = row.try_get("tried_at")?;
    let moved = tried_at > now.0;
    if moved {
        move_to_now(write, subject, now).await?;
    }
    let ahead = tried_at.saturating_sub(now.0).max(0);
    Ok(Some(Counted {
        failures: row.try_get("failures")?,
        refusals: row.try_get("refusals")?,
        next_at: Timestamp(row.try_get("next_at")?).plus_ms(-ahead),
        moved,
    }))
}

async fn move_to_now(
    connection: &mut AnyConnection,
    subject: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE sign_in_attempts SET next_at = next_at - tried_at + $1, tried_at = $1 \
         WHERE subject = $2",
    )
    .bind(now.0)
    .bind(subject)
    .execute(connection)
    .await?;
    Ok(())
}

async fn count(
    write: &mut Write,
    subject: &str,
    failures: i64,
    now: Timestamp,
    next_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sign_in_attempts (subject, failures, refusals, tried_at, next_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (subject) DO UPDATE SET \
         failures = excluded.failures, refusals = excluded.refusals, \
         tried_at = excluded.tried_at, next_at = excluded.next_at",
    )
    .bind(subject)
    .bind(failures)
    .bind(0_i64)
    .bind(now.0)
    .bind(next_at.0)
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// Counts a refused attempt, and returns the refusals in a row.
async fn refuse(write: &mut Write, subject: &str, now: Timestamp) -> Result<i64, Error> {
    sqlx::query("UPDATE sign_in_attempts SET refusals = refusals + 1 WHERE subject = $1")
        .bind(subject)
        .execute(&mut **write)
        .await?;
    let refusals = counted(write, subject, now).await?;
    Ok(refusals.map_or(1, |found| found.refusals))
}

async fn is_full(write: &mut Write) -> Result<bool, Error> {
    let row = sqlx::query("SELECT COUNT(*) FROM sign_in_attempts")
        .fetch_one(&mut **write)
        .await?;
    let subjects: i64 = row.try_get(0)?;
    Ok(subjects >= SUBJECTS_MAX)
}

/// Returns the time from which an account with so many failures may be tried again.
fn next_for_account(failures: i64, now: Timestamp) -> Timestamp {
    match failures {
        ..=2 => now,
        3..=8 => now.plus(Duration::from_secs(3)),
        9..=24 => now.plus(Duration::from_secs(5)),
        25..=99 => now.plus(Duration::from_secs(10)),
        // Until the day ends: the owner notices by then, and is not locked out for good.
        _ => Timestamp(now.0.div_euclid(DAY_MS).saturating_add(1) * DAY_MS),
    }
}

/// Returns the time up to which an address has used its attempts, after one more at `now`. It runs ahead of the clock by
/// [`ADDRESS_PACE`] for each attempt.
fn used_by_address(used_until: Timestamp, now: Timestamp) -> Timestamp {
    used_until.max(now).plus(ADDRESS_PACE)
}

/// Returns true if an address that has used its attempts up to this time may try once more.
fn address_may(used_until: Timestamp, now: Timestamp) -> bool {
    used_until <= now.plus((ADDRESS_BURST - 1) * ADDRESS_PACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(DAY_MS / 2);

    fn pause_ms(failures: i64) -> i64 {
        next_for_account(failures, NOON).0 - NOON.0
    }

    #[test]
    fn pause_grows_with_failures() {
        for (failures, pause) in [
            (1, 0),
            (2, 0),
            (3, 3_000),
            (8, 3_000),
            (9, 5_000),
            (24, 5_000),
            (25, 10_000),
            (99, 10_000),
            (100, DAY_MS / 2),
        ] {
            assert_eq!(pause_ms(failures), pause, "{failures}");
        }
    }

    #[test]
    fn account_allows_at_most_eighty_attempts_in_ten_minutes() {
        let (mut now, end) = (NOON, NOON.plus(Duration::from_mins(10)));
        let mut failures = 0;
        while now < end {
            failures += 1;
            now = next_for_account(failures, now);
        }
        assert!(failures <= 80, "{failures}");
    }

    #[test]
    fn address_allows_ten_attempts_at_once_and_ten_a_minute() {
        let (mut used, mut allowed) = (Timestamp(0), 0);
        for second in 0..600 {
            for _ in 0..20 {
                let now = NOON.plus(Duration::from_secs(second));
                if address_may(used, now) {
                    used = used_by_address(used, now);
                    allowed += 1;
                }
            }
        }
        assert!((100..=110).contains(&allowed), "{allowed}");
    }
}
