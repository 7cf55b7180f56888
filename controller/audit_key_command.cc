#include "controller/audit_key_command.h"

#include <iostream>
#include <memory>
#include <string>

#include "common/signing/key_files.h"

namespace curlew::controller {
namespace {

int Run(const std::string& path) {
  const auto pair = signing::MakeKeyFiles(path);
  if (!pair.ok()) {
    std::cerr << "curlew-controller: " << pair.status().message() << "\n";
    return 1;
  }
  std::cout << "private key: " << path << " (for --audit-key; only its owner may read it)\n"
            << "public key:  " << pair->public_path << " (for curlew audit verify --public-key)\n"
            << "key id:      " << pair->key.id() << "\n";
  return 0;
}

constexpr char kFooter[] =
    R"(Nothing is overwritten. Give the same key to every controller of a store. Keep the public key, or its id, where
whoever can write to the store cannot change it.

Example:
  curlew-controller audit-key /etc/curlew/audit.key
  curlew-controller --audit-key /etc/curlew/audit.key

Exit codes: 0 made, 1 failed, 2 wrong usage.)";

}  // namespace

void AddAuditKeyCommand(CLI::App* app, std::function<int()>* verb) {
  CLI::App* command =
      app->add_subcommand("audit-key", "Make the key that heads of the audit log are signed with");
  const auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, "Where the private key goes; the public one goes beside it, as FILE.pub")
      ->type_name("")
      ->required();
  command->footer(kFooter);
  command->callback([verb, path] { *verb = [path] { return Run(*path); }; });
}

}  // namespace curlew::controller
