//! The manager that thinks with a language model: emergencies by rule, then rounds of text and tools, and the rules where it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use tracing::warn;

use super::assembly::Completion;
use super::attachments::{Attachments, Opener};
use super::client::{Client, Running};
use super::config::Settings;
use super::cost::Cost;
use super::failure::Failure;
use super::fetch::Fetcher;
use super::history;
use super::memory::Memory;
use super::models::{Begun, Models, Question, Reply as Answer};
use super::note;
use super::prompt;
use super::tools;
use super::tries::{AFTER_A_BREAK, Broken, Next, Tries};
use super::voice::{Ended, Voice};
use super::wire::{Message, ToolCall};
use super::work::Work;
use crate::agents::offline::joint::{self, MANAGER, Messages};
use crate::agents::{Agent, AgentError, Outcome, Reply, Turn};
use crate::deliver::provider::Providers;

/// So many times the model may call tools in one turn; then it has to answer.
const MAX_ROUNDS: usize = 4;

/// The entry point of the engine with a model.
#[derive(Clone, Debug)]
pub struct ModelManager {
    models: Models,
    opener: Opener,
    history_tokens: usize,
    reply_deadline: Duration,
}

impl ModelManager {
    /// A manager with these settings.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let (history_tokens, reply_deadline) = (settings.history_tokens, settings.reply_deadline);
        let client = Client::new(settings)?;
        Ok(Self {
            models: Models::new(client.clone()),
            opener: Opener::new(Fetcher::new()?, client),
            history_tokens,
            reply_deadline,
        })
    }

    /// With a way to what visitors send over WhatsApp.
    #[must_use]
    pub fn with_providers(mut self, providers: Option<&Arc<Providers>>) -> Self {
        self.opener = self.opener.with_providers(providers.cloned());
        self
    }

    /// Lets the model answer: rounds of text and tools.
    async fn converse(
        &self,
        turn: &Turn,
        attachments: &Attachments,
        work: &mut Work<'_>,
        voice: &mut Voice<'_>,
    ) -> Result<(), Trouble> {
        let past = history::bounded(&turn.history, self.history_tokens);
        let mut messages = vec![Message::System {
            content: String::new(),
        }];
        messages.extend(past.messages);
        messages.push(Message::User {
            content: prompt::question(turn, past.unanswered, attachments),
        });
        messages.extend(made_before(turn, work));
        let mut resumes = !voice.text().is_empty();
        let began = Instant::now();
        let mut cost = Cost::new(began);
        let mut tries = Tries::new(self.models.patience(), began);
        let mut round = 0;
        let result = loop {
            messages[0] = Message::System {
                content: prompt::system(work, &past.heard, attachments),
            };
            let tools = tools::of(work.agent());
            let mut asked = messages.clone();
            let resumed = std::mem::take(&mut resumes) && !voice.of_this_round().is_empty();
            if resumed {
                asked.push(said(voice.of_this_round()));
                asked.push(Message::User {
                    content: prompt::CONTINUE.to_owned().into(),
                });
            }
            let question = Question {
                messages: &asked,
                tools: &tools,
                may_call: round < MAX_ROUNDS,
                may_be_silent: (resumed || round > 0) && voice.may_be_whole(),
            };
            cost.requests += 1;
            let completion = match self.hear(question, tries.place, voice, &mut cost).await {
                Ok(completion) => completion,
                Err(Trouble::Broken(broken)) => {
                    let (failure, next) = (broken.failure, tries.after(broken, Instant::now()));
                    warn!(code = failure.code(), ?next, "❌ Error: a reply broke off");
                    match next {
                        Next::Again => tokio::time::sleep(AFTER_A_BREAK).await,
                        Next::Another => {
                            self.models.note(broken.place, Some(failure));
                            if tries.place == self.models.count() {
                                break Err(Trouble::Model(failure));
                            }
                        }
                        Next::Nothing => break Err(Trouble::Model(failure)),
                    }
                    voice.resume();
                    resumes = true;
                    continue;
                }
                Err(trouble) => break Err(trouble),
            };
            if completion.calls.is_empty() || round == MAX_ROUNDS {
                break match voice.text().is_empty() {
                    true => Err(Trouble::Model(Failure::Empty)),
                    false => Ok(()),
                };
            }
            messages.extend(self.call(&completion, work, voice, round).await?);
            voice.next_round();
            tries.next_round(Instant::now());
            round += 1;
        };
        cost.log();
        result
    }

    /// Says what one model answers, of those from `place` on.
    async fn hear(
        &self,
        question: Question<'_>,
        place: usize,
        voice: &mut Voice<'_>,
        cost: &mut Cost,
    ) -> Result<Completion, Trouble> {
        let before = voice.text().len();
        let Begun { place, reply } = self.models.ask(question, place).await?;
        self.models.name(place).clone_into(&mut cost.model);
        let heard = match reply {
            Answer::Calls(completion) => Ok(completion),
            Answer::Speaking(running) => {
                cost.speaks();
                self.say(*running, place, voice).await
            }
        };
        let spoke = voice.text().len() > before;
        let broken = |failure| {
            Err(Trouble::Broken(Broken {
                failure,
                place,
                spoke,
            }))
        };
        match heard {
            // Thoughts, or nothing but what had been said.
            Ok(completion) if completion.calls.is_empty() && !spoke && !question.may_be_silent => {
                broken(Failure::Empty)
            }
            Ok(completion) => {
                self.models.note(place, None);
                cost.add(completion.usage);
                Ok(completion)
            }
            Err(Trouble::Model(failure)) => broken(failure),
            Err(trouble) => Err(trouble),
        }
    }

    /// Says a reply while it comes.
    async fn say(
        &self,
        mut running: Running,
        place: usize,
        voice: &mut Voice<'_>,
    ) -> Result<Completion, Trouble> {
        let before = voice.text().len();
        let mut spoke = false;
        while let Some(piece) = running.next().await? {
            voice.say(&piece).await?;
            if !spoke && voice.text().len() > before {
                spoke = true;
                self.models.note(place, None);
            }
        }
        let completion = running.finish()?;
        voice.end_of_round().await?;
        Ok(completion)
    }

    /// Makes the calls of a round; what the model is told of them.
    async fn call(
        &self,
        completion: &Completion,
        work: &mut Work<'_>,
        voice: &mut Voice<'_>,
        round: usize,
    ) -> Result<Vec<Message>, AgentError> {
        let id = |index: usize, id: &str| match id {
            "" => format!("call_{round}_{index}"),
            id => id.to_owned(),
        };
        let calls = completion.calls.iter().enumerate();
        let tool_calls = calls
            .clone()
            .map(|(index, call)| {
                // What is no JSON is refused by servers when it comes back.
                let arguments = match serde_json::from_str::<serde_json::Value>(&call.arguments) {
                    Ok(_) => call.arguments.clone(),
                    Err(_) => "{}".to_owned(),
                };
                ToolCall::new(id(index, &call.id), &call.name, arguments)
            })
            .collect();
        let mut messages = vec![Message::Assistant {
            content: voice.of_this_round().trim_start().to_owned(),
            tool_calls,
        }];
        messages.extend(calls.map(|(index, call)| Message::Tool {
            tool_call_id: id(index, &call.id),
            content: work.call(&call.name, &call.arguments),
        }));
        if let Some(note) = note::write(work.made()) {
            voice.note(note).await?;
        }
        Ok(messages)
    }
}

/// Why the model's answer is not whole.
enum Trouble {
    /// No model answers.
    Model(Failure),
    /// One began to.
    Broken(Broken),
    /// More was said than anyone reads, and may stand as it is. Where calls are too many, none was made, and that is a failure.
    LongEnough,
    Agent(AgentError),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Model(failure)
    }
}

impl From<AgentError> for Trouble {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}

impl From<Ended> for Trouble {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::By(error) => Self::Agent(error),
            Ended::TooLong => Self::LongEnough,
        }
    }
}

impl Agent for ModelManager {
    fn name(&self) -> &'static str {
        MANAGER
    }

    async fn run(&self, turn: &Turn, reply: &mut Reply) -> Result<Outcome, AgentError> {
        if let Some((text, mut outcome)) = joint::answer_emergency(turn) {
            reply.say(&text).await?;
            remember(turn, &mut outcome);
            return Ok(outcome);
        }
        let deadline = tokio::time::Instant::now() + self.reply_deadline;
        let (turn, attachments) = self.opener.open(turn).await;
        let turn = &*turn;
        // A voice message can tell of one, too.
        if attachments.heard > 0
            && let Some((text, mut outcome)) = joint::answer_emergency(turn)
        {
            reply.say(&text).await?;
            remember(turn, &mut outcome);
            return Ok(outcome);
        }
        let mut work = Work::begin(turn);
        let own = work.desk().messages();
        if let Some(late) = work.desk().late() {
            reply.say(&format!("{late}\n\n")).await?;
        }
        let mut voice = Voice::new(reply, &turn.already_sent.text, &own.model_medical);
        let conversed = timeout_at(deadline, self.converse(turn, &attachments, &mut work, &mut voice)).await;
        match conversed.unwrap_or(Err(Trouble::Model(Failure::TooSlow))) {
            Ok(()) => {}
            Err(Trouble::Agent(error)) => return Err(error),
            Err(Trouble::LongEnough) => voice.close("").await?,
            Err(Trouble::Model(failure) | Trouble::Broken(Broken { failure, .. })) => {
                let promised = !voice.text().is_empty() && !work.made().is_empty();
                if !voice.has_spoken() && !promised {
                    warn!(code = failure.code(), "❌ Error: answered by the rules");
                    return by_rules(turn, voice.into_reply(), own).await;
                }
                warn!(code = failure.code(), "❌ Error: a reply was cut off");
                voice.close(&own.model_interrupted).await?;
            }
        }
        voice.keeps();
        Ok(work.finish(voice.text()))
    }
}

/// The calls of the run that was cut off, made again: the text that was sent may speak of them.
fn made_before(turn: &Turn, work: &mut Work<'_>) -> Vec<Message> {
    let sent = &turn.already_sent;
    if sent.text.is_empty() {
        return Vec::new();
    }
    let made = note::read(sent.note.as_deref());
    let calls = made.iter().enumerate();
    let messages = calls.flat_map(|(index, (name, arguments))| {
        let id = format!("again_{index}");
        let content = work.call(name, arguments);
        let call = ToolCall::new(id.clone(), name, arguments.clone());
        [
            Message::Assistant {
                content: String::new(),
                tool_calls: vec![call],
            },
            Message::Tool {
                tool_call_id: id,
                content,
            },
        ]
    });
    messages.collect()
}

fn said(content: &str) -> Message {
    Message::Assistant {
        content: content.trim_start().to_owned(),
        tool_calls: Vec::new(),
    }
}

/// The last resort, and an honest word about it.
async fn by_rules(turn: &Turn, reply: &mut Reply, own: &Messages) -> Result<Outcome, AgentError> {
    // That it comes late has been said.
    let turn = &Turn {
        is_late: false,
        ..turn.clone()
    };
    let (text, mut outcome) = joint::answer(turn);
    reply.say(&format!("{}\n\n{text}", own.model_by_rules)).await?;
    remember(turn, &mut outcome);
    Ok(outcome)
}

/// Keeps the summary going where the rules have answered; a refusal is kept to.
fn remember(turn: &Turn, outcome: &mut Outcome) {
    let mut memory = Memory::read(&turn.state);
    let refused = outcome.state["consent"] == "refused" && turn.state["consent"] != "refused";
    if refused {
        memory.forget();
    } else {
        for request in &turn.requests {
            memory.hear(&request.content, &turn.clinic);
        }
    }
    memory.write(&mut outcome.state);
}

#[cfg(test)]
mod tests;
