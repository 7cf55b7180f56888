// A folder of a test's own.
#ifndef CURLEW_TESTS_CONTROLLER_STORE_TEMP_FOLDER_H_
#define CURLEW_TESTS_CONTROLLER_STORE_TEMP_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace curlew::store {

// Made with the object and removed with it, with what is in it.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "curlew-store-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  // The path of a file in it.
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_TEMP_FOLDER_H_
