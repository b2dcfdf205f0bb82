#pragma once

/// All that writing a service takes. Installed as <mailroom/mailroom.hpp>.

#include <mailroom/services/host/node.hpp>
#include <mailroom/services/host/service.hpp>

#include <mailroom/framework/async/channel.hpp>
#include <mailroom/framework/async/gather.hpp>
#include <mailroom/framework/async/mutex.hpp>
#include <mailroom/framework/async/on_fiber.hpp>
#include <mailroom/framework/async/promise.hpp>
#include <mailroom/framework/async/sleep.hpp>
#include <mailroom/framework/async/task.hpp>
#include <mailroom/framework/async/wait.hpp>
#include <mailroom/framework/async/wait_for.hpp>
#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/error.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/rpc/context.hpp>
#include <mailroom/framework/rpc/endpoint.hpp>
#include <mailroom/framework/rpc/target.hpp>
#include <mailroom/framework/rpc/ticker.hpp>
#include <mailroom/framework/wire/bytes.hpp>
