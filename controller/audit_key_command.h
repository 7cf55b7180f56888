// `curlew-controller audit-key FILE`: makes the key for --audit-key.
#ifndef CURLEW_CONTROLLER_AUDIT_KEY_COMMAND_H_
#define CURLEW_CONTROLLER_AUDIT_KEY_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>

namespace curlew::controller {

// Adds the command to `app`; the rest as AddStoreCommand. It prints where the public key is, and its id.
void AddAuditKeyCommand(CLI::App* app, std::function<int()>* verb);

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_AUDIT_KEY_COMMAND_H_
