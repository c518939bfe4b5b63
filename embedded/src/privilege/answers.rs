//! Answers to privilege checks that were given lately.
//!
//! APM Server asks the same about every key of every agent, and most keys are given the same roles. What is answered
//! follows from the question, the roles and the registered privileges alone, and none of these ever changes: a role
//! or a privilege that is changed is put in the place of the one before. So an answer is kept together with exactly
//! what it follows from, and found by nothing else. Whether a key is still valid is no part of it: that is found out
//! anew for every request, before anything is looked up here.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, PoisonError, RwLock},
};

use super::{application::Registered, permission::Permission};

/// Answers kept per generation; twice as many at most.
const ANSWERS_MAX: usize = 128;
/// Longer questions, and those with longer answers, are answered anew each time.
const BYTES_MAX: usize = 8 * 1024;

/// See the module.
#[derive(Default)]
pub(crate) struct Answers {
    hashing: RandomState,
    generations: RwLock<Generations>,
}

/// Two maps: when the young one is full it becomes the old one, and the old one is dropped.
#[derive(Default)]
struct Generations {
    young: HashMap<u64, Answer>,
    old: HashMap<u64, Answer>,
}

/// An answer and what it follows from. Holding the roles and the privileges keeps others from taking their addresses.
struct Answer {
    question: Box<[u8]>,
    permission: Permission,
    registered: Arc<Registered>,
    text: Arc<[u8]>,
}

/// Something that was asked, with everything that its answer follows from.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The body of the request, as it came.
    pub(crate) body: &'a [u8],
    pub(crate) permission: &'a Permission,
    pub(crate) registered: &'a Arc<Registered>,
}

impl Answers {
    /// The answer to exactly this question, if it was given lately.
    pub(crate) fn find(&self, question: Question<'_>) -> Option<Arc<[u8]>> {
        let hash = self.hash(question);
        let generations = self
            .generations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let answer = generations
            .young
            .get(&hash)
            .or_else(|| generations.old.get(&hash))?;
        answer.is_to(question).then(|| answer.text.clone())
    }

    /// Keeps an answer for whoever asks the same.
    pub(crate) fn keep(&self, question: Question<'_>, text: &[u8]) {
        if question.body.len() > BYTES_MAX || text.len() > BYTES_MAX {
            return;
        }
        let hash = self.hash(question);
        let answer = Answer {
            question: question.body.into(),
            permission: question.permission.clone(),
            registered: question.registered.clone(),
            text: text.into(),
        };
        let mut generations = self
            .generations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= ANSWERS_MAX {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(hash, answer);
    }

    fn hash(&self, question: Question<'_>) -> u64 {
        let mut hasher = self.hashing.build_hasher();
        question.permission.address().hash(&mut hasher);
        Arc::as_ptr(question.registered).hash(&mut hasher);
        hasher.write(question.body);
        hasher.finish()
    }
}

impl Answer {
    fn is_to(&self, question: Question<'_>) -> bool {
        self.permission.address() == question.permission.address()
            && Arc::ptr_eq(&self.registered, question.registered)
            && *self.question == *question.body
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ANSWERS_MAX, Answers, Question, Registered};
    use crate::{privilege::permission::Permission, role_descriptor::RoleDescriptor};

    fn permission() -> Permission {
        Permission::of_user(Arc::new(vec![RoleDescriptor::default()]))
    }

    fn question<'a>(
        body: &'a [u8],
        permission: &'a Permission,
        registered: &'a Arc<Registered>,
    ) -> Question<'a> {
        Question {
            body,
            permission,
            registered,
        }
    }

    #[test]
    fn an_answer_is_found_by_everything_it_follows_from_and_nothing_less() {
        let answers = Answers::default();
        let (permission, other) = (permission(), permission());
        let registered = Arc::new(Registered::new());
        let asked = question(b"may I?", &permission, &registered);
        assert_eq!(answers.find(asked), None);
        answers.keep(asked, b"yes");
        assert_eq!(answers.find(asked).as_deref(), Some(&b"yes"[..]));
        // The same roles and privileges by value, but not the same ones.
        let elsewhere = Arc::new(Registered::new());
        let changes: [Question<'_>; 3] = [
            Question {
                body: b"may I ?",
                ..asked
            },
            Question {
                permission: &other,
                ..asked
            },
            Question {
                registered: &elsewhere,
                ..asked
            },
        ];
        for changed in changes {
            assert_eq!(answers.find(changed), None);
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let answers = Answers::default();
        let permission = permission();
        let registered = Arc::new(Registered::new());
        for number in 0..10 * ANSWERS_MAX {
            let body = number.to_string();
            answers.keep(question(body.as_bytes(), &permission, &registered), b"yes");
        }
        let kept = answers.generations.read().unwrap();
        assert!(kept.young.len() + kept.old.len() <= 2 * ANSWERS_MAX);
        drop(kept);
        let long = question(&[b' '; 100_000], &permission, &registered);
        answers.keep(long, b"yes");
        assert_eq!(answers.find(long), None);
    }
}
