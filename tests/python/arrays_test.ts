/** What the Python package does with numpy, whose versions differ. */
import { registerPythonTests } from "../support/programs/python_tests.ts";

await registerPythonTests([
  { tests: "test_pixels", modules: ["numpy"] },
  { tests: "test_opencv", modules: ["numpy", "cv2"] },
  { tests: "test_publish_arrays", modules: ["numpy"] },
]);
