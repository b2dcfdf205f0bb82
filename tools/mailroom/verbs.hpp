#pragma once

#include <mailroom/tools/mailroom/command.hpp>

/// The verbs of the `mailroom` command, each in the file of its name.
namespace mailroom::cli {

void add_call(CLI::App& to, job& chosen);
void add_cast(CLI::App& to, job& chosen);
void add_ping(CLI::App& to, job& chosen);
void add_describe(CLI::App& to, job& chosen);
void add_executor(CLI::App& to, job& chosen);
void add_bench(CLI::App& to, job& chosen);

}  // namespace mailroom::cli
