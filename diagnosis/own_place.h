// own_place.h - files that belong to this build: found from where its code lies, be it a program or a shared library in
// somebody else's program.
#pragma once

#include <initializer_list>
#include <string>

namespace spinert {

// The first regular file with that name in one of `places`, which are relative to the folder of the program or library
// that this code is part of; links are followed first. Empty if there is none.
std::string find_own_file(const std::string& name, std::initializer_list<const char*> places);

}  // namespace spinert
