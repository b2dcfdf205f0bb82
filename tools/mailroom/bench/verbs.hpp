#pragma once

#include <mailroom/tools/mailroom/command_line.hpp>

/// The verbs below `mailroom bench`, each in the file of its name.
namespace mailroom::bench {

void add_serve(const cli::command& to);
void add_call(const cli::command& to);
void add_cast(const cli::command& to);
void add_local(const cli::command& to);
void add_compare(const cli::command& to);
void add_raw_serve(const cli::command& to);
void add_raw_call(const cli::command& to);
void add_raw_cast(const cli::command& to);

}  // namespace mailroom::bench
