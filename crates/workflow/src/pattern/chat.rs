//! Group chat: several speak in one conversation, one after the other.

use std::future::Future;
use std::sync::Arc;

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::Result;

/// Something that was said in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Who said it.
    pub who: String,
    /// What.
    pub what: Item,
}

/// All that was said in a conversation, in order. A clone is cheap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation(Arc<Vec<Said>>);

impl Conversation {
    /// What was said.
    pub fn said(&self) -> &[Said] {
        &self.0
    }

    /// Who spoke last.
    pub fn last_speaker(&self) -> Option<&str> {
        self.0.last().map(|said| said.who.as_str())
    }

    /// How often somebody has spoken.
    pub fn turns_of(&self, who: &str) -> usize {
        self.0.iter().filter(|said| said.who == who).count()
    }

    /// The conversation as one that joins it reads it: made of all that was said.
    pub fn as_item(&self) -> Item {
        let text: Vec<_> = self.0.iter().map(|said| format!("{}: {}", said.who, said.what.text())).collect();
        Item::made_of(text.join("\n\n"), self.0.iter().map(|said| &said.what))
    }

    fn add(&mut self, said: Said) {
        Arc::make_mut(&mut self.0).push(said);
    }
}

/// Lets several speak until `next` names nobody, or `most` turns are over. `next` sees what was said and says who speaks; `speak`
/// has them do so. A conversation begins with what `opening` holds.
///
/// Fails with what either of them fails with.
pub async fn chat<N, F, S, G>(
    stage: &Stage,
    most: u32,
    opening: Vec<Said>,
    mut next: N,
    mut speak: S,
) -> Result<Conversation>
where
    N: FnMut(Stage, Conversation) -> F,
    F: Future<Output = Result<Option<String>>>,
    S: FnMut(Stage, String, Conversation) -> G,
    G: Future<Output = Result<Item>>,
{
    let mut conversation = Conversation(Arc::new(opening));
    for _ in 0..most {
        let turn = stage.scope("turn");
        let Some(who) = next(turn.clone(), conversation.clone()).await? else { break };
        let what = speak(turn, who.clone(), conversation.clone()).await?;
        conversation.add(Said { who, what });
    }
    Ok(conversation)
}

/// The one who follows the last speaker in a round of these; the first where nobody of them has spoken.
pub fn in_turn(speakers: &[&str], conversation: &Conversation) -> Option<String> {
    let last =
        conversation.said().iter().rev().find_map(|said| speakers.iter().position(|who| *who == said.who));
    let next = last.map_or(0, |last| (last + 1) % speakers.len().max(1));
    speakers.get(next).map(|who| (*who).to_owned())
}
