//! [`Layout`]: where the boxes of a diagram stand.
//!
//! What stands in one group is put in rows: each below all that leads to it. A group is as large as what is in it, and stands
//! among others as a box does.

use std::collections::BTreeMap;

use super::diagram::{Diagram, Form};

/// Between boxes of one row, and between rows, in pixels.
const GAP: i64 = 28;
const ROW: i64 = 46;
/// Around what stands in a group, and above it for its title.
const MARGIN: i64 = 16;
const TITLE: i64 = 22;
/// How wide a character is at most, and how high a line.
pub(super) const WIDE: i64 = 8;
pub(super) const HIGH: i64 = 18;

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
}

impl Area {
    pub(super) fn middle(&self) -> i64 {
        self.x + self.width / 2
    }

    pub(super) fn bottom(&self) -> i64 {
        self.y + self.height
    }

    pub(super) fn right(&self) -> i64 {
        self.x + self.width
    }

    #[cfg(test)]
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
}

/// Where everything stands.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) nodes: Vec<Area>,
    pub(super) groups: Vec<Area>,
    pub(super) width: i64,
    pub(super) height: i64,
}

/// What stands in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Node(usize),
    Group(usize),
}

impl Layout {
    pub(super) fn of(diagram: &Diagram) -> Self {
        let nodes = diagram.nodes.iter().map(|node| {
            let longest = node.lines.iter().map(|line| wide(line)).max().unwrap_or_default();
            let lines = i64::try_from(node.lines.len()).unwrap_or(1);
            let besides = if node.form == Form::Choice { 56 } else { 24 };
            Area { width: longest + besides, height: lines * HIGH + 16, ..Area::default() }
        });
        let mut layout = Self {
            nodes: nodes.collect(),
            groups: diagram.groups.iter().map(|_| Area::default()).collect(),
            width: 0,
            height: 0,
        };
        let (width, height) = layout.arrange(diagram, None);
        // What leads back is drawn at the right, with what is written at it.
        let labels = diagram.arrows.iter().map(|arrow| wide(&arrow.label));
        let beside = 60 + labels.max().unwrap_or_default();
        (layout.width, layout.height) = (width + 2 * MARGIN + beside, height + 2 * MARGIN);
        layout.shift(diagram, None, MARGIN, MARGIN);
        layout
    }

    /// Arranges what stands in a group, from its upper left corner, and says how large it is.
    fn arrange(&mut self, diagram: &Diagram, group: Option<usize>) -> (i64, i64) {
        let mut rows: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
        for (part, row) in rows_of(diagram, group) {
            if let Part::Group(inner) = part {
                let (width, height) = self.arrange(diagram, Some(inner));
                if let (Some(area), Some(of)) = (self.groups.get_mut(inner), diagram.groups.get(inner)) {
                    area.width = (width + 2 * MARGIN).max(wide(&of.title) + 2 * MARGIN);
                    area.height = height + 2 * MARGIN + TITLE;
                }
            }
            rows.entry(row).or_default().push(part);
        }
        let of_row = |layout: &Self, row: &[Part]| {
            let gaps = GAP * i64::try_from(row.len().saturating_sub(1)).unwrap_or_default();
            row.iter().map(|part| layout.area(*part).width).sum::<i64>() + gaps
        };
        let width = rows.values().map(|row| of_row(self, row)).max().unwrap_or_default();
        let mut y = 0;
        for row in rows.values() {
            let mut x = (width - of_row(self, row)) / 2;
            let mut height = 0;
            for part in row {
                let area = self.area_mut(*part);
                (area.x, area.y) = (x, y);
                x += area.width + GAP;
                height = height.max(area.height);
            }
            y += height + ROW;
        }
        (width, (y - ROW).max(0))
    }

    /// Moves what stands in a group to where the group stands.
    fn shift(&mut self, diagram: &Diagram, group: Option<usize>, x: i64, y: i64) {
        for part in parts(diagram, group) {
            let area = self.area_mut(part);
            area.x += x;
            area.y += y;
            let Area { x, y, .. } = *area;
            if let Part::Group(inner) = part {
                self.shift(diagram, Some(inner), x + MARGIN, y + MARGIN + TITLE);
            }
        }
    }

    fn area(&self, part: Part) -> Area {
        let area = match part {
            Part::Node(node) => self.nodes.get(node),
            Part::Group(group) => self.groups.get(group),
        };
        area.copied().unwrap_or_default()
    }

    fn area_mut(&mut self, part: Part) -> &mut Area {
        // INVARIANT: `parts` names nodes and groups of the diagram alone, and there is an area for each.
        let (areas, index) = match part {
            Part::Node(node) => (&mut self.nodes, node),
            Part::Group(group) => (&mut self.groups, group),
        };
        if index >= areas.len() {
            areas.resize(index + 1, Area::default());
        }
        #[expect(clippy::indexing_slicing, reason = "it was made long enough")]
        &mut areas[index]
    }
}

/// What stands in a group, each with its row.
fn rows_of(diagram: &Diagram, group: Option<usize>) -> Vec<(Part, usize)> {
    let parts = parts(diagram, group);
    let place = |node: usize| {
        let part = part_of(diagram, group, node)?;
        parts.iter().position(|other| *other == part)
    };
    let arrows = diagram.arrows.iter().filter_map(|arrow| Some((place(arrow.from)?, place(arrow.to)?)));
    // What leads back to something that was drawn before is no reason to stand below.
    let mut forth: Vec<(usize, usize)> = arrows.filter(|(from, to)| from < to).collect();
    forth.sort_unstable();
    let mut rows = vec![0_usize; parts.len()];
    for (from, to) in forth {
        let below = rows.get(from).map_or(0, |row| row + 1);
        if let Some(row) = rows.get_mut(to) {
            *row = (*row).max(below);
        }
    }
    parts.into_iter().zip(rows).collect()
}

/// What stands directly in a group, in the order in which it was drawn.
fn parts(diagram: &Diagram, group: Option<usize>) -> Vec<Part> {
    let first = |inner: usize| {
        let within = |node: &usize| part_of(diagram, group, *node) == Some(Part::Group(inner));
        (0..diagram.nodes.len()).find(within).unwrap_or(usize::MAX)
    };
    let nodes = diagram.nodes.iter().enumerate().filter(|(_, node)| node.group == group);
    let groups = diagram.groups.iter().enumerate().filter(|(_, inner)| inner.group == group);
    let nodes = nodes.map(|(index, _)| (index, Part::Node(index)));
    let groups = groups.map(|(index, _)| (first(index), Part::Group(index)));
    let mut parts: Vec<_> = nodes.chain(groups).collect();
    parts.sort_unstable();
    parts.into_iter().map(|(_, part)| part).collect()
}

/// What a node is in a group: itself, or the group directly within that it stands in.
fn part_of(diagram: &Diagram, group: Option<usize>, node: usize) -> Option<Part> {
    let mut part = Part::Node(node);
    let mut around = diagram.nodes.get(node)?.group;
    while around != group {
        let inner = around?;
        part = Part::Group(inner);
        around = diagram.groups.get(inner)?.group;
    }
    Some(part)
}

pub(super) fn wide(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or_default() * WIDE
}
