#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/wire/envelope.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

/// Messages as JSON and back, with the field names of PROTOCOL.md: what vectors.txt is checked
/// with, and a way to call every reader there is.
namespace mailroom::tests {

using json = nlohmann::json;

/// Every message of the frame, or why it is garbage (`errc::protocol_error`). Bodies of calls and
/// replies that are no MessagePack become null: they are their handler's business, not the link's.
result<json> frame_to_json(std::span<const std::byte> frame);

/// The frame that a node would send for it. Throws on what cannot be written.
wire::buffer frame_from_json(const json& what);

/// One paragraph of vectors.txt.
struct vector {
  std::string name;
  std::vector<std::byte> frame;
  json meaning;              ///< Null if it is garbage.
  bool decode_only = false;  ///< We would write it otherwise.
};

/// Throws if the file cannot be read.
std::vector<vector> read_vectors(const std::string& path);

}  // namespace mailroom::tests
