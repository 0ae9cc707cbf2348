//! Draws plans: as Mermaid, as SVG, and as an outline in text.

mod chat;
mod crew;
mod diagram;
mod events;
mod graph;
mod handoff;
mod layout;
mod mermaid;
mod svg;

use adjutant_agent::Definition;

use crate::plan::Plan;
use diagram::Diagram;

impl Plan {
    /// The plan as a flowchart in [Mermaid](https://mermaid.js.org), which Markdown pages show.
    pub fn mermaid(&self) -> String {
        mermaid::write(&Diagram::of(self))
    }

    /// The plan as a picture in SVG: whole in itself, with no fonts, scripts or addresses.
    pub fn svg(&self) -> String {
        svg::write(&Diagram::of(self))
    }

    /// The steps of the plan one below the other, each with how deep it is nested.
    pub fn outline(&self) -> Vec<(usize, String)> {
        Diagram::of(self).outline()
    }
}

/// A drawing of the agents that hand a conversation over to one another.
#[derive(Debug)]
pub struct Handoffs(Diagram);

impl Handoffs {
    /// Those of a conversation that begins with this agent; none where it hands nothing over.
    pub fn of(agent: &Definition) -> Option<Self> {
        handoff::diagram(agent).map(Self)
    }

    /// As [`Plan::mermaid`].
    pub fn mermaid(&self) -> String {
        mermaid::write(&self.0)
    }

    /// As [`Plan::svg`].
    pub fn svg(&self) -> String {
        svg::write(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::parse;

    const FLOW: &str = "
steps:
  - id: outline
    agent: writer
    gate: { when: 'size(result) > 2', end: 'too \"short\" <b>' }
  - parallel:
      one: { value: 1 }
      two: [{ tool: search, arguments: {} }, { person: 'Is & it \"good\"?' }]
  - route:
      by: { model: fast }
      otherwise: ask
      paths:
        a: { description: A., do: { sleep: 5s } }
        b: { description: B., do: { map: '= input', do: { agent: writer } } }
  - refine: { draft: { agent: writer }, review: { agent: critic }, accept: review.ok }
  - orchestrate: { workers: [writer, critic], synthesis: writer }
  - graph:
      state: { x: {} }
      begin: a
      nodes:
        a: { do: { value: 1 }, on_error: c }
        b: { do: [{ value: 1 }, { value: 2 }] }
        c: { do: { value: 1 } }
      edges:
        - { from: a, to: b, when: x < 3 }
        - { from: b, to: a, each: '= [1]' }
        - { from: a, to: end }
  - crew:
      process: hierarchical
      members: { one: { role: a reader }, two: { role: a writer } }
      tasks:
        - { id: find, description: Find. }
        - { id: tell, description: Tell., by: two, gate: { when: 'true' } }
  - chat: { speakers: [writer, person], next: model, until: turns > 3 }
  - events:
      first: { asked: '= input' }
      steps:
        split: { on: asked, workers: 2, do: { agent: writer }, emits: { kind: part } }
        wait: { on: part, from_outside: { kind: approved } }
        join: { on: { part: 2, approved: 1 }, emits: { kind: end } }
";

    #[test]
    fn all_steps_are_drawn() {
        let plan = parse("flow.yaml", FLOW).unwrap().plan;
        insta::assert_snapshot!("mermaid", plan.mermaid());
        let outline: Vec<String> =
            plan.outline().iter().map(|(depth, text)| format!("{}{text}", "  ".repeat(*depth))).collect();
        insta::assert_snapshot!("outline", outline.join("\n"));
    }

    #[test]
    fn a_picture_is_whole_in_itself_and_boxes_do_not_overlap() {
        let plan = parse("flow.yaml", FLOW).unwrap().plan;
        let svg = plan.svg();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
        for alien in ["<script", "href", "url(http", "<b>", "@import"] {
            assert!(!svg.contains(alien), "{alien}");
        }
        assert!(svg.contains("Is &amp; it &quot;good&quot;?"), "{svg}");
        let diagram = super::Diagram::of(&plan);
        let layout = super::layout::Layout::of(&diagram);
        for (index, one) in layout.nodes.iter().enumerate() {
            for other in layout.nodes.iter().skip(index + 1) {
                assert!(!one.overlaps(other), "{one:?} {other:?}");
            }
        }
        assert_eq!(layout.nodes.len(), diagram.nodes.len());
    }
}
