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
CLI::Option* add_topic(CLI::App& to, std::string& value, const std::string& help);
CLI::Option* add_json(CLI::App& to, bool& value);

/// --cpu: keep the process to one CPU.
void add_cpu(CLI::App& to, std::optional<unsigned>& value);

}  // namespace mailroom::cli
