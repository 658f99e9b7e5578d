// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "operator/instances/pod.h"
#include "wsf/v1/record.pb.h"

namespace wsf::ledger {

/// The record that an ended pod's termination message stands for: the one it holds, or, when it
/// stopped at `claimed` or `live`, a synthetic one with code 500; nothing when it never carried a
/// connection (contracts.md, "Record and ledger").
std::optional<v1::SessionRecord> RecordOfEndedPod(const instances::Pod& pod);

/// Fills in what the sidecar does not know: the names.
void Complete(const instances::Pod& pod, const std::string& function_key,
              v1::SessionRecord* record);

/// Whether the container's status may still change the record: the server's process has gone, and
/// only the runtime knows why (A16, E22).
bool MayBeRefined(const v1::SessionRecord& record);

/// Fills in the exit code, and makes 439 a 434 where the server was killed for its memory (E22).
void Refine(const instances::Pod& pod, v1::SessionRecord* record);

}  // namespace wsf::ledger
