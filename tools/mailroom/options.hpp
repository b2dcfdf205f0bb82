#pragma once

#include <mailroom/tools/mailroom/command.hpp>
#include <mailroom/tools/mailroom/command_line.hpp>

#include <mailroom/framework/base/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Options as people write them ("2s", "64KiB"), read while the command line is parsed. What a
/// value is before is shown as its default.
namespace mailroom::cli {

option add_duration(const command& to,
                    const std::string& name,
                    duration& value,
                    const std::string& help);
option add_size(const command& to,
                const std::string& name,
                std::size_t& value,
                const std::string& help);
/// From `least` to `most`; `kind` is the letter for it in the help.
option add_number(const command& to,
                  const std::string& name,
                  std::size_t& value,
                  const std::string& help,
                  const std::string& kind,
                  std::uint64_t least,
                  std::uint64_t most);
option add_number(const command& to,
                  const std::string& name,
                  double& value,
                  const std::string& help,
                  const std::string& kind,
                  double least,
                  double most);
/// Some of the words that are `known`.
option add_choice(const command& to,
                  const std::string& name,
                  std::vector<std::string>& value,
                  const std::string& help,
                  const std::vector<std::string>& known);
option add_executor(const command& to,
                    const std::string& name,
                    std::string& value,
                    const std::string& help);
option add_connect(const command& to, std::string& value);
/// Where there is another way to say which node.
option add_connect_unless(const command& to, std::string& value, const std::string& other);
/// Of several nodes, unless directories are named.
option add_connect(const command& to, std::vector<std::string>& value);
option add_listen(const command& to, std::string& value);
option add_topic(const command& to, std::string& value, const std::string& help);
option add_method(const command& to, std::string& value, const std::string& help);
void add_json(const command& to, bool& value);

/// --cpu: keep the process to one CPU.
void add_cpu(const command& to, std::optional<unsigned>& value);
option add_workers(const command& to, std::size_t& value);

}  // namespace mailroom::cli
