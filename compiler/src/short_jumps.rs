//! Shorter jumps, for x86-64.
//!
//! The code generator gives every jump inside of a function a distance of 32 bits, because it writes
//! jumps before it knows how far they lead. Two of three lead less than 128 bytes far, and have a form
//! that is 3 or 4 bytes shorter. Here finished code is read instruction by instruction, jumps are
//! replaced by their short form where that reaches, and whatever depends on where something is
//! moves along: other jumps, distances to constants and jump tables, and what the artifact
//! says about places in the code.
//!
//! What is not understood stays as it is: a function is changed as a whole or not at all.

use std::collections::BTreeSet;
use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind};

use crate::code::{CompiledFunction, HandledCall, Reference, ReferenceTarget};

/// The length of a short jump, in bytes: its other forms have 5 or, if it is conditional, 6.
const SHORT: u32 = 2;

/// The bytes of code for which it is noted which jump comes next.
const STRETCH: u32 = 64;

/// How often all jumps are looked at, because others became shorter. Code can be made up that needs a round
/// for each jump; one that stays long is as right as a short one.
const ROUNDS: usize = 8;

/// Shortens the jumps of a function whose basic blocks begin at `blocks`.
pub(crate) fn shorten(function: &mut CompiledFunction, blocks: &[u32]) {
    let mut blocks = blocks.to_vec();
    blocks.sort_unstable();
    let Some(mut parts) = Parts::read(function, &blocks) else { return };
    if parts.choose() {
        let code = parts.write(&function.code);
        debug_assert!(parts.same_instructions(&function.code, &code), "other instructions");
        parts.move_places(function);
        function.code = code.into();
    }
}

/// What code consists of, as far as it depends on where something is. All places are offsets in
/// the code as it was.
struct Parts {
    /// Where instructions begin.
    instructions: Places,
    /// Where the instructions end.
    end: u32,
    /// Where constants begin, behind the instructions; the end of the code when there are none.
    constants: u32,
    /// What the constants are aligned to, with the code.
    alignment: u32,
    jumps: Vec<Jump>,
    /// The position of the first jump in or behind each [`STRETCH`] of the code.
    next_jumps: Vec<u32>,
    /// How many bytes those jumps save that are before the one of the same position, and at last all.
    saved: Vec<u32>,
    distances: Vec<Distance>,
    /// Tables of distances from their start.
    tables: Vec<Range<u32>>,
}

/// A jump to another place of the same code.
#[derive(Clone, Copy)]
struct Jump {
    start: u32,
    len: u32,
    target: u32,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With a distance of 32 bits.
    Near,
    /// To be given one of 8 bits.
    Shortened,
    /// With one of 8 bits from the beginning.
    Short,
}

/// The distance of 32 bits from the end of an instruction to a constant or a jump table.
struct Distance {
    place: u32,
    end: u32,
    target: u32,
}

/// Some of the places of a piece of code.
struct Places(Vec<bool>);

impl Places {
    /// None of the places in `len` bytes of code, and the one behind it.
    fn new(len: usize) -> Places {
        Places(vec![false; len + 1])
    }

    fn contains(&self, place: u32) -> bool {
        self.0.get(place as usize).is_some_and(|&is_in| is_in)
    }

    /// Puts a place in; `None` when there is no such place in the code.
    fn insert(&mut self, place: u32) -> Option<()> {
        *self.0.get_mut(place as usize)? = true;
        Some(())
    }

    /// The first of them that is not before `place`.
    fn next(&self, place: u32) -> Option<u32> {
        let rest = self.0.get(place as usize..)?;
        Some(place + rest.iter().position(|&is_in| is_in)? as u32)
    }

    /// All of them, ascending.
    fn iter(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.0).filter_map(|(place, &is_in)| is_in.then_some(place))
    }
}

impl Jump {
    fn end(&self) -> u32 {
        self.start + self.len
    }

    /// How many bytes are saved.
    fn saves(&self) -> u32 {
        match self.form {
            Form::Shortened => self.len - SHORT,
            Form::Near | Form::Short => 0,
        }
    }
}

impl Parts {
    /// Reads code; `None` when there is something that is not understood. `blocks` are sorted.
    fn read(function: &CompiledFunction, blocks: &[u32]) -> Option<Parts> {
        let code = &*function.code;
        let references = &function.references;
        if !references.is_sorted_by_key(|reference| reference.offset) {
            return None;
        }
        let mut references = references.iter().map(|reference| reference.offset).peekable();
        // Asked of one place after the other.
        let mut is_reference = |place: u32| {
            while references.next_if(|&offset| offset < place).is_some() {}
            references.peek() == Some(&place)
        };
        // Where there is code behind an instruction that does not go on.
        let traps = function.sites.iter().filter(|site| site.trap.is_some());
        let mut begins = Places::new(code.len());
        for begin in blocks.iter().copied().chain(traps.map(|site| site.code)) {
            begins.insert(begin)?;
        }
        let mut targets = BTreeSet::new();
        let (mut instructions, mut jumps) = (Places::new(code.len()), Vec::new());
        let (mut distances, mut tables) = (Vec::new(), Vec::new());
        let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        let mut goes_on = true;
        loop {
            let start = decoder.position() as u32;
            if start as usize == code.len() || !goes_on && !begins.contains(start) {
                break;
            }
            decoder.decode_out(&mut instruction);
            if instruction.is_invalid() {
                return None;
            }
            instructions.insert(start)?;
            let end = decoder.position() as u32;
            goes_on = !matches!(
                instruction.code(),
                Code::Jmp_rm64
                    | Code::Jmp_rel32_64
                    | Code::Jmp_rel8_64
                    | Code::Retnq
                    | Code::Retnq_imm16
                    | Code::Ud2
            );
            if instruction.op0_kind() == OpKind::NearBranch64 {
                let form = match code[start as usize..end as usize] {
                    [0xe8 | 0xe9, ..] if is_reference(start + 1) => continue,
                    [0xe9, _, _, _, _] | [0x0f, 0x80..=0x8f, _, _, _, _] => Form::Near,
                    [0xeb | 0x70..=0x7f, _] => Form::Short,
                    _ => return None,
                };
                let target = u32::try_from(instruction.near_branch_target()).ok()?;
                begins.insert(target)?;
                jumps.push(Jump { start, len: end - start, target, form });
            }
            if instruction.is_ip_rel_memory_operand() {
                let displacement = decoder.get_constant_offsets(&instruction);
                let place = start + displacement.displacement_offset() as u32;
                if !is_reference(place) {
                    let target = u32::try_from(instruction.ip_rel_memory_address()).ok()?;
                    distances.push(Distance { place, end, target });
                    targets.insert(target);
                }
            }
            if instruction.code() == Code::Jmp_rm64
                && targets.contains(&end)
                && let Some(behind) = begins.next(end + 1)
            {
                tables.push(end..behind);
                decoder.set_position(behind as usize).ok()?;
                decoder.set_ip(behind.into());
                goes_on = true;
            }
        }
        let end = decoder.position() as u32;
        let constants = targets.range(end..).next().copied();
        let constants = constants.or((end as usize == code.len()).then_some(end))?;
        let alignment = function.alignment.max(1);
        let next_jumps = next_jumps(&jumps, end);
        let saved = Vec::new();
        let parts = Parts {
            instructions,
            end,
            constants,
            alignment,
            jumps,
            next_jumps,
            saved,
            distances,
            tables,
        };
        let understood = parts.all_lead_somewhere(code, blocks)
            && function.references.iter().all(|reference| reference.offset < end);
        understood.then_some(parts)
    }

    /// Whether everything leads to where something is.
    fn all_lead_somewhere(&self, code: &[u8], blocks: &[u32]) -> bool {
        let is_instruction = |place: u32| self.instructions.contains(place);
        let is_table =
            |place: u32| self.tables.binary_search_by_key(&place, |table| table.start).is_ok();
        self.jumps.iter().all(|jump| is_instruction(jump.target))
            && blocks.iter().all(|&block| is_instruction(block) || block == self.end)
            && self
                .distances
                .iter()
                .all(|distance| is_table(distance.target) || distance.target >= self.constants)
            && self.tables.iter().all(|table| {
                table.len().is_multiple_of(4)
                    && self.targets_of(table, code).all(|target| {
                        target.is_some_and(|target| blocks.binary_search(&target).is_ok())
                    })
            })
    }

    /// Where the entries of a table lead.
    fn targets_of(&self, table: &Range<u32>, code: &[u8]) -> impl Iterator<Item = Option<u32>> {
        let start = table.start;
        let (entries, _) = code[table.start as usize..table.end as usize].as_chunks::<4>();
        entries.iter().map(move |entry| start.checked_add_signed(i32::from_le_bytes(*entry)))
    }

    /// Decides which jumps become short, and whether any does.
    fn choose(&mut self) -> bool {
        self.add_up();
        for _ in 0..ROUNDS {
            let mut changed = false;
            for position in 0..self.jumps.len() {
                let jump = self.jumps[position];
                if jump.form == Form::Near && self.reaches(&jump) {
                    self.jumps[position].form = Form::Shortened;
                    changed = true;
                }
            }
            // What becomes shorter brings others closer together, never apart.
            self.add_up();
            if !changed {
                break;
            }
        }
        self.saved.last().is_some_and(|&all| all != 0)
    }

    fn add_up(&mut self) {
        let mut sum = 0;
        self.saved.clear();
        for jump in &self.jumps {
            self.saved.push(sum);
            sum += jump.saves();
        }
        self.saved.push(sum);
    }

    /// Whether the short form of a jump reaches its target.
    fn reaches(&self, jump: &Jump) -> bool {
        let target = i64::from(self.moved(jump.target));
        let distance = match jump.target < jump.end() {
            true => target - i64::from(self.moved(jump.start) + SHORT),
            false => target - i64::from(self.moved(jump.end())),
        };
        i8::try_from(distance).is_ok()
    }

    /// Where a place among the instructions is now.
    fn moved(&self, place: u32) -> u32 {
        let stretch = (place / STRETCH) as usize;
        let first = self.next_jumps.get(stretch).map_or(self.jumps.len(), |&first| first as usize);
        let before = self.jumps[first..].iter().take_while(|jump| jump.start < place).count();
        place - self.saved[first + before]
    }

    /// Where the constants begin now: as far from what they are aligned to as before.
    fn moved_constants(&self) -> u32 {
        let end = self.moved(self.end);
        end + (self.constants - end) % self.alignment
    }

    /// Where what a distance leads to is now: a table or a constant.
    fn moved_target(&self, target: u32) -> u32 {
        match target.checked_sub(self.constants) {
            Some(offset) => self.moved_constants() + offset,
            None => self.moved(target),
        }
    }

    /// The code with short jumps.
    fn write(&self, code: &[u8]) -> Vec<u8> {
        let mut new = Vec::with_capacity(code.len());
        let mut written = 0;
        for jump in &self.jumps {
            let (start, end) = (jump.start as usize, jump.end() as usize);
            new.extend_from_slice(&code[written..start]);
            written = end;
            let distance = self.moved(jump.target).wrapping_sub(self.moved(jump.end()));
            match jump.form {
                Form::Near => {
                    new.extend_from_slice(&code[start..end - 4]);
                    new.extend_from_slice(&distance.to_le_bytes());
                }
                Form::Shortened => {
                    // The conditions have the same order in both forms.
                    let opcode = if code[start] == 0xe9 { 0xeb } else { code[start + 1] - 0x10 };
                    new.extend_from_slice(&[opcode, distance as u8]);
                }
                Form::Short => new.extend_from_slice(&[code[start], distance as u8]),
            }
        }
        new.extend_from_slice(&code[written..self.end as usize]);
        if self.constants as usize != code.len() {
            new.resize(self.moved_constants() as usize, 0);
            new.extend_from_slice(&code[self.constants as usize..]);
        }
        let mut put = |place: u32, value: u32| {
            new[place as usize..][..4].copy_from_slice(&value.to_le_bytes());
        };
        for &Distance { place, end, target } in &self.distances {
            let distance = self.moved_target(target).wrapping_sub(self.moved(end));
            put(self.moved(place), distance);
        }
        for table in &self.tables {
            let start = self.moved(table.start);
            for (target, place) in self.targets_of(table, code).zip((start..).step_by(4)) {
                put(place, self.moved(target.unwrap_or_default()).wrapping_sub(start));
            }
        }
        new
    }

    /// Moves what is known of places in the code.
    fn move_places(&self, function: &mut CompiledFunction) {
        for Reference { offset, target, .. } in &mut function.references {
            *offset = self.moved(*offset);
            if let ReferenceTarget::Local(place) = target {
                *place = self.moved(*place);
            }
        }
        for site in &mut function.sites {
            site.code = self.moved(site.code);
        }
        for HandledCall { return_address, .. } in &mut function.calls {
            *return_address = self.moved(*return_address);
        }
        for handler in &mut function.handlers {
            handler.offset = self.moved(handler.offset);
        }
        for (return_address, _) in &mut function.stack_maps {
            *return_address = self.moved(*return_address);
        }
    }

    /// Whether the new code consists of the same instructions, which lead to the same places.
    fn same_instructions(&self, old: &[u8], new: &[u8]) -> bool {
        let at = |code: &[u8], place: u32| {
            let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
            decoder.set_position(place as usize).ok()?;
            decoder.set_ip(place.into());
            Some(decoder.decode())
        };
        let same = |place: u32| {
            let (old, new) = (at(old, place)?, at(new, self.moved(place))?);
            let end = old.next_ip32();
            let same_target = if self.jumps.binary_search_by_key(&place, |at| at.start).is_ok() {
                let (old, new) = (old.near_branch_target(), new.near_branch_target());
                new == self.moved(old as u32).into()
            } else if self.distances.binary_search_by_key(&end, |at| at.end).is_ok() {
                let (old, new) = (old.ip_rel_memory_address(), new.ip_rel_memory_address());
                new == self.moved_target(old as u32).into()
            } else {
                // The linker fills in what leads out of the code.
                old.op0_kind() == OpKind::NearBranch64
                    || old.is_ip_rel_memory_operand()
                    || old == new
            };
            Some(old.mnemonic() == new.mnemonic() && same_target)
        };
        self.instructions.iter().all(|place| same(place) == Some(true))
    }
}

/// For each [`STRETCH`] up to `end`, the position of the first jump in or behind it.
fn next_jumps(jumps: &[Jump], end: u32) -> Vec<u32> {
    let mut next = 0;
    let stretches = (0..end.div_ceil(STRETCH)).map(|stretch| stretch * STRETCH);
    stretches
        .map(|start| {
            next += jumps[next..].iter().take_while(|jump| jump.start < start).count();
            next as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use precast_artifact::section::sites::Site;
    use precast_artifact::trap::Trap;

    use super::*;

    const NOP: u8 = 0x90;
    const RET: u8 = 0xc3;

    fn function(code: Vec<u8>) -> CompiledFunction {
        CompiledFunction::data(code, 16, Vec::new())
    }

    fn shortened(code: &[u8], blocks: &[u32]) -> Vec<u8> {
        let mut function = function(code.to_vec());
        shorten(&mut function, blocks);
        function.code.into()
    }

    fn code(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn jumps_become_as_short_as_they_reach() {
        // je over `distance` bytes.
        let forward = |distance: usize| {
            let near = &[&[0x0f, 0x84][..], &(distance as i32).to_le_bytes()].concat();
            (code(&[near, &vec![NOP; distance], &[RET]]), [0, 6, 6 + distance as u32])
        };
        let (near, blocks) = forward(127);
        assert_eq!(shortened(&near, &blocks), code(&[&[0x74, 127], &[NOP; 127], &[RET]]));
        let (near, blocks) = forward(128);
        assert_eq!(shortened(&near, &blocks), near);
        // jmp back to the start, over `distance` bytes.
        let back = |distance: usize| {
            let near = &[&[0xe9][..], &(-(distance as i32) - 5).to_le_bytes()].concat();
            code(&[&vec![NOP; distance], near])
        };
        assert_eq!(shortened(&back(126), &[0]), code(&[&[NOP; 126], &[0xeb, 0x80]]));
        assert_eq!(shortened(&back(127), &[0]), back(127));
    }

    #[test]
    fn a_jump_that_becomes_short_lets_others_do_so() {
        // The first leads 130 bytes far until the second is shorter.
        let far = [0x0f, 0x85, 130, 0, 0, 0];
        let inner = [0x0f, 0x8f, 0, 0, 0, 0];
        let old = code(&[&far, &inner, &[NOP; 124], &[RET]]);
        let new = code(&[&[0x75, 126], &[0x7f, 0], &[NOP; 124], &[RET]]);
        assert_eq!(shortened(&old, &[0, 6, 12, 136]), new);
    }

    #[test]
    fn constants_and_tables_are_found_where_they_are_then() {
        let old = code(&[
            &[0xe9, 0, 0, 0, 0],                    // jmp 5
            &[0xf3, 0x0f, 0x10, 0x05, 35, 0, 0, 0], // movss xmm0, [rip + 35], which is at 48
            &[0x48, 0x8d, 0x05, 2, 0, 0, 0],        // lea rax, [rip + 2], which is at 22
            &[0xff, 0xe0],                          // jmp rax
            &8i32.to_le_bytes(),                    // to 30
            &(-22i32).to_le_bytes(),                // to 0
            &[RET],
            &[0; 17],
            &[1, 2, 3, 4],
        ]);
        let new = code(&[
            &[0xeb, 0],
            &[0xf3, 0x0f, 0x10, 0x05, 22, 0, 0, 0], // at 32
            &[0x48, 0x8d, 0x05, 2, 0, 0, 0],        // at 19
            &[0xff, 0xe0],
            &8i32.to_le_bytes(),
            &(-19i32).to_le_bytes(),
            &[RET],
            &[0; 4],
            &[1, 2, 3, 4],
        ]);
        assert_eq!(shortened(&old, &[0, 5, 30]), new);
        // An entry that leads into an instruction is not understood.
        assert_eq!(shortened(&old, &[0, 6, 30]), old);
    }

    #[test]
    fn what_is_known_of_places_moves_along() {
        let mut function = function(code(&[
            &[0x0f, 0x87, 1, 0, 0, 0], // ja 7, the trap
            &[RET],
            &[0x0f, 0x0b],
        ]));
        let trap = Some(Trap::StackOverflow);
        function.sites = [Site { code: 7, wasm: 1, trap }].into();
        shorten(&mut function, &[0]);
        assert_eq!(*function.code, [0x77, 1, RET, 0x0f, 0x0b]);
        assert_eq!(*function.sites, [Site { code: 3, wasm: 1, trap }]);
    }

    #[test]
    fn what_is_not_understood_stays() {
        for old in [
            // Into the middle of an instruction, and out of the code.
            &[0xe9, 1, 0, 0, 0, 0x66, NOP, RET][..],
            &[0xe9, 100, 0, 0, 0, RET],
            // A call that nobody fills in, a loop, and what is no instruction.
            &[0xe9, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, RET],
            &[0xe9, 0, 0, 0, 0, 0xe2, 0xf0, RET],
            &[0xe9, 0, 0, 0, 0, 0x06, RET],
            // A distance to what is code.
            &[0xe9, 0, 0, 0, 0, 0x48, 0x8d, 0x05, 0, 0, 0, 0, RET],
        ] {
            assert_eq!(shortened(old, &[0, 5]), old);
        }
    }
}
