#pragma once

#include <mailroom/framework/wire/bytes.hpp>

#include <cstddef>
#include <span>

/// MessagePack that passes through as it is: for bridges, tools and handlers that do not look
/// inside.
namespace mailroom::wire {

/// One value that nobody has decoded: a parameter or result type of any handler or call. Empty is
/// nil.
struct encoded {
  bytes value;
};

/// A whole argument list, already a MessagePack array, in place of arguments:
/// `client.call<encoded>("price", encoded_arguments{buffer.bytes()})`. Refers to the bytes.
struct encoded_arguments {
  std::span<const std::byte> array;
};

}  // namespace mailroom::wire
