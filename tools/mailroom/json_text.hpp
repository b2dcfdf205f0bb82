#pragma once

#include <nlohmann/json.hpp>

#include <string>

/// The parser and the writer of nlohmann's JSON, instantiated once for the whole command.
namespace mailroom::cli {

/// `discarded` (`is_discarded`) if the text is no JSON.
nlohmann::json json_from(const std::string& text);

std::string json_text(const nlohmann::json& value);
std::string json_text(const nlohmann::ordered_json& value);

}  // namespace mailroom::cli
