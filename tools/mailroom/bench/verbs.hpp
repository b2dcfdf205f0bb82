#pragma once

#include <mailroom/tools/mailroom/command.hpp>

/// The verbs below `mailroom bench`, each in the file of its name.
namespace mailroom::bench {

void add_serve(CLI::App& to, cli::job& chosen);
void add_call(CLI::App& to, cli::job& chosen);
void add_cast(CLI::App& to, cli::job& chosen);
void add_local(CLI::App& to, cli::job& chosen);
void add_compare(CLI::App& to, cli::job& chosen);
void add_raw_serve(CLI::App& to, cli::job& chosen);
void add_raw_call(CLI::App& to, cli::job& chosen);
void add_raw_cast(CLI::App& to, cli::job& chosen);

}  // namespace mailroom::bench
