// ptx.cuh - see below.
#pragma once
