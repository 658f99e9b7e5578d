// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace wsf {

/// Says that something has happened which cannot unless this program is wrong. Whoever says so goes
/// on as well as it can: one wrong step must not end every session there is. A program logs it and
/// shows how often it was (`wsf_impossible_total`); without a handler, as in tests, it ends the
/// process. `what` names what does not hold.
void Impossible(std::string_view what);

/// How often it was said.
std::uint64_t ImpossibleCount();

/// Called with each `what`, on the thread that says it. To be set once, before threads are started.
void OnImpossible(void (*handler)(std::string_view what));

}  // namespace wsf
