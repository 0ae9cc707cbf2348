//! What happens while the code waits: effects end, mail comes, timers fire.

use adjutant_core::error::Retry;
use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Done, Entry, Finished, Kind, Letter, Next, Outcome, Reconciled, Resolution};

use super::{Activation, Event, Open, State, broken, effects};

impl Activation<'_> {
    /// Begins an attempt, unless the code has taken the effect back.
    pub(super) async fn launch(&mut self, index: usize) -> Result<()> {
        if self.open[index].dropped {
            let cancelled = Error::new(Code::RunCancelled, "cancelled before it began");
            return self.complete(index, Err(cancelled), None).await.map(drop);
        }
        self.open[index].attempts += 1;
        let (key, number) = (self.open[index].key.clone(), self.open[index].attempts);
        let Some(work) = self.open[index].work.clone() else { return Err(broken("an effect without work")) };
        let attempt = self.attempt(&self.open[index]);
        let effect = effects(&self.open[index].operation).effect;
        let decision = work.decide(&attempt).await?;
        if !effect.is_repeatable() {
            self.append_one(Entry::Attempted { key, attempt: number, decision }).await;
        }
        if effect != Effect::Pure {
            self.flush().await;
        }
        let until = self.world.clock + self.world.random.between(0, 50);
        let finished = match self.world.random.chance(500) {
            true => Some(work.attempt(attempt).await),
            false => None,
        };
        self.open[index].state = State::Runs { until, finished };
        self.peril().await;
        Ok(())
    }

    pub(super) async fn look_up(&mut self, index: usize) -> Result<()> {
        let Some(work) = self.open[index].work.clone() else { return Err(broken("an effect without work")) };
        match work.reconcile(self.attempt(&self.open[index])).await {
            Reconciled::Happened(answer) => {
                let until = self.world.clock + self.world.random.between(0, 50);
                let finished = Some(Finished { done: Done::Ok(answer), spent: None });
                self.open[index].state = State::Runs { until, finished };
                Ok(())
            }
            Reconciled::NotHappened => self.launch(index).await,
            Reconciled::Unknown => self.forget(index, "the look-up does not know").await,
        }
    }

    pub(super) async fn forget(&mut self, index: usize, reason: &str) -> Result<()> {
        let key = self.open[index].key.clone();
        self.open[index].state = State::Unknown;
        self.append_one(Entry::Unknown { key, reason: reason.to_owned() }).await;
        Ok(())
    }

    /// What can happen at this moment.
    pub(super) fn due(&self) -> Vec<Event> {
        let now = self.world.clock;
        let steps = self.open.iter().enumerate().filter(|(_, open)| match open.state {
            State::Timer { until } | State::Runs { until, .. } | State::Rests { until } => until <= now,
            State::Waits | State::Unknown => false,
        });
        let steps = steps.map(|(index, _)| Event::Step(index));
        let mail = (0..self.world.mail.len()).filter(|mail| self.is_wanted(*mail)).map(Event::Mail);
        steps.chain(mail).collect()
    }

    pub(super) fn is_wanted(&self, mail: usize) -> bool {
        let post = &self.world.mail[mail];
        post.at <= self.world.clock
            && !self.world.is_taken(mail)
            && match &post.letter {
                Letter::Signal { .. } | Letter::ChildEnded { .. } => self.waiter(&post.letter).is_some(),
                Letter::Resolve { key, resolution } => self.unknown(key).is_some_and(|index| {
                    !self.deaf || *resolution != Resolution::Abort || self.open[index].dropped
                }),
                Letter::Cancel { .. } => !self.deaf,
                Letter::Message { .. } | Letter::Pause { .. } | Letter::Resume => false,
            }
    }

    /// The step that waited first for such a letter.
    pub(super) fn waiter(&self, letter: &Letter) -> Option<usize> {
        self.open.iter().position(|open| match (letter, &open.operation.kind) {
            (Letter::Signal { name, .. }, Kind::Signal) => open.operation.name == *name,
            (Letter::ChildEnded { key, segment, .. }, Kind::Child) => {
                open.key == *key && *segment == self.segment
            }
            _ => false,
        })
    }

    pub(super) fn unknown(&self, key: &StepKey) -> Option<usize> {
        self.open.iter().position(|open| open.key == *key && matches!(open.state, State::Unknown))
    }

    /// Lets one thing happen, and says what the code is to hear of it.
    pub(super) async fn step(&mut self) -> Result<Option<Next>> {
        let mut due = self.due();
        if due.is_empty() {
            return Ok(None);
        }
        let chosen = self.world.random.below(due.len());
        match due.swap_remove(chosen) {
            Event::Mail(mail) => self.receive(mail).await,
            Event::Step(index) => self.advance(index).await,
        }
    }

    pub(super) async fn receive(&mut self, mail: usize) -> Result<Option<Next>> {
        let letter = self.world.mail[mail].letter.clone();
        match letter.clone() {
            Letter::Signal { payload, .. } => match self.waiter(&letter) {
                Some(index) => self.complete(index, Ok(payload), Some((letter, mail))).await,
                None => Ok(None),
            },
            Letter::ChildEnded { outcome, .. } => match self.waiter(&letter) {
                Some(index) => self.complete(index, outcome, Some((letter, mail))).await,
                None => Ok(None),
            },
            Letter::Cancel { reason } => {
                let first = !std::mem::replace(&mut self.cancelled, true);
                let moment = self.append(vec![(Entry::Received(letter), Some(mail))]).await;
                Ok(first.then_some(Next::Cancelled { reason, moment }))
            }
            Letter::Resolve { key, resolution } => match self.unknown(&key) {
                Some(index) => self.resolve(index, resolution, (letter, mail)).await,
                None => Ok(None),
            },
            Letter::Message { .. } | Letter::Pause { .. } | Letter::Resume => Ok(None),
        }
    }

    pub(super) async fn resolve(
        &mut self,
        index: usize,
        resolution: Resolution,
        (letter, mail): (Letter, usize),
    ) -> Result<Option<Next>> {
        match resolution {
            Resolution::Happened(answer) => self.complete(index, Ok(answer), Some((letter, mail))).await,
            Resolution::Retry => {
                self.append(vec![(Entry::Received(letter), Some(mail))]).await;
                self.launch(index).await?;
                Ok(None)
            }
            Resolution::Abort if self.cancelled || self.open[index].dropped => {
                let unknown = Error::new(Code::ToolOutcomeUnknown, "left as it is");
                self.complete(index, Err(unknown), Some((letter, mail))).await
            }
            Resolution::Abort => {
                self.open[index].aborted = true;
                self.cancelled = true;
                let reason = "an effect was left as it is".to_owned();
                let cancel = Entry::Received(Letter::Cancel { reason: reason.clone() });
                let moment = self.append(vec![(Entry::Received(letter), Some(mail)), (cancel, None)]).await;
                Ok(Some(Next::Cancelled { reason, moment }))
            }
        }
    }

    pub(super) async fn advance(&mut self, index: usize) -> Result<Option<Next>> {
        match std::mem::replace(&mut self.open[index].state, State::Waits) {
            State::Timer { .. } => self.complete(index, Ok(Json::null()), None).await,
            State::Rests { .. } => self.launch(index).await.map(|()| None),
            State::Runs { finished, .. } => {
                let finished = match (finished, self.open[index].work.clone()) {
                    (Some(finished), _) => finished,
                    (None, Some(work)) => work.attempt(self.attempt(&self.open[index])).await,
                    (None, None) => return Err(broken("an effect without work")),
                };
                self.peril().await;
                self.finish_attempt(index, finished).await
            }
            State::Waits | State::Unknown => Err(broken("nothing was due")),
        }
    }

    pub(super) async fn finish_attempt(&mut self, index: usize, finished: Finished) -> Result<Option<Next>> {
        let open = &self.open[index];
        let effects = effects(&open.operation);
        match finished.done {
            Done::Ok(answer) => self.complete(index, Ok(answer), None).await,
            Done::Err(error) => {
                let again = effects.effect.is_repeatable() && !open.dropped && error.retry() == Retry::Later;
                match effects.retry.wait_after(open.attempts).filter(|_| again) {
                    Some(wait) => {
                        let until = Timestamp(self.world.clock).plus(wait).0;
                        self.open[index].state = State::Rests { until };
                        Ok(None)
                    }
                    None => self.complete(index, Err(error), None).await,
                }
            }
            Done::Unknown(reason) => self.forget(index, &reason).await.map(|()| None),
        }
    }

    pub(super) async fn complete(
        &mut self,
        index: usize,
        outcome: Outcome,
        mail: Option<(Letter, usize)>,
    ) -> Result<Option<Next>> {
        let Open { key, dropped, .. } = self.open.remove(index);
        let entry = match dropped {
            true => Entry::Late { key: key.clone(), outcome: outcome.clone() },
            false => Entry::Completed { key: key.clone(), outcome: outcome.clone() },
        };
        let mut entries: Vec<_> = Vec::new();
        if let Some((letter, mail)) = mail {
            entries.push((Entry::Received(letter), Some(mail)));
        }
        entries.push((entry, None));
        let moment = self.append(entries).await;
        Ok((!dropped).then_some(Next::Done { key, outcome, moment }))
    }
}
