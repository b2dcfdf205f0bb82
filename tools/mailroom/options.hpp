#pragma once

#include <mailroom/tools/mailroom/command.hpp>

#include <mailroom/framework/base/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

/// Options as people write them ("2s", "64KiB"), read while the command line is parsed.
namespace mailroom::cli {

/// A subcommand with a one-line description and an example at the end of its help.
CLI::App* add_verb(CLI::App& to,
                   const std::string& name,
                   const std::string& description,
                   const std::string& example);

CLI::Option* add_duration(CLI::App& to,
                          const std::string& name,
                          duration& value,
                          const std::string& help);
CLI::Option* add_size(CLI::App& to,
                      const std::string& name,
                      std::size_t& value,
                      const std::string& help);
CLI::Option* add_executor(CLI::App& to,
                          const std::string& name,
                          std::string& value,
                          const std::string& help);
CLI::Option* add_connect(CLI::App& to, std::string& value);
CLI::Option* add_listen(CLI::App& to, std::string& value);
CLI::Option* add_topic(CLI::App& to, std::string& value, const std::string& help);
CLI::Option* add_json(CLI::App& to, bool& value);

/// --cpu: keep the process to one CPU.
void add_cpu(CLI::App& to, std::optional<unsigned>& value);
CLI::Option* add_workers(CLI::App& to, std::size_t& value);

/// Instead of CLI::Range: one takes nan, and what it says does not name the range to be in.
CLI::Validator whole_number(std::uint64_t least, std::uint64_t most);
CLI::Validator finite_number(double least, double most);

}  // namespace mailroom::cli
