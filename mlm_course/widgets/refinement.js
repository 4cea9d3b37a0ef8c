// A text that was filled in step by step.

export default widget((model, root, on) => drawSteps(model.get("view"), model, root, on));
