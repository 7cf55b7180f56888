// A disk that can be full.
#ifndef CURLEW_TESTS_CONTROLLER_STORE_TINY_FILE_SYSTEM_H_
#define CURLEW_TESTS_CONTROLLER_STORE_TINY_FILE_SYSTEM_H_

#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace curlew::store {

// A file system in memory, at a folder that it makes; gone with the object. Only root may make one.
class TinyFileSystem {
 public:
  TinyFileSystem(const std::string& path, int megabytes) : path_(path) {
    std::filesystem::create_directory(path);
    mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, absl::StrCat("size=", megabytes, "m").c_str()) == 0;
  }
  ~TinyFileSystem() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  TinyFileSystem(const TinyFileSystem&) = delete;
  TinyFileSystem& operator=(const TinyFileSystem&) = delete;

  bool mounted() const { return mounted_; }
  // Leaves room for nothing more.
  void FillUp() const {
    std::ofstream file(ballast());
    while (file.good()) file << std::string(1024, 'x') << std::flush;
  }
  // Takes that back.
  void MakeRoom() const { std::filesystem::remove(ballast()); }

 private:
  std::string ballast() const { return path_ + "/ballast"; }

  const std::string path_;
  bool mounted_ = false;
};

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_TINY_FILE_SYSTEM_H_
