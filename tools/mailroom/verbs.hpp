#pragma once

#include <mailroom/tools/mailroom/command_line.hpp>

/// The verbs of the `mailroom` command, each in the file of its name.
namespace mailroom::cli {

void add_call(const command& to);
void add_cast(const command& to);
void add_ping(const command& to);
void add_describe(const command& to);
void add_drain(const command& to);
void add_executor(const command& to);
void add_nodes(const command& to);
void add_topics(const command& to);
void add_bench(const command& to);

}  // namespace mailroom::cli
